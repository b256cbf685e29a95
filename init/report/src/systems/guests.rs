use hardware::Reading;
use proxmox::System;
use proxmox::guests::{Guest, GuestKind, HostPci};

use crate::label::fact;
use crate::page::Page;

pub(super) fn guests(page: &mut Page, system: &System) {
    page.title("GUESTS");
    let installation = &system.installation;
    match &installation.guests {
        Reading::Known(guests) => {
            let given: Vec<&Guest> = guests
                .guests
                .iter()
                .filter(|guest| !guest.hostpci.is_empty())
                .collect();
            for guest in &given {
                one(page, system, guest);
            }
            let containers = guests
                .guests
                .iter()
                .filter(|guest| guest.kind == GuestKind::Container)
                .count();
            let others = guests.guests.len() - given.len() - containers;
            fact(
                page,
                "others",
                &format!("{others} virtual machines without host devices, {containers} containers"),
            );
        }
        Reading::Absent if installation.domains.is_empty() => fact(page, "", "None was found."),
        Reading::Absent => {}
        Reading::Unknown(why) => fact(page, "", &format!("Not known: {why}")),
    }
    for domain in &installation.domains {
        let starts = if domain.autostart {
            ", starts with the host"
        } else {
            ""
        };
        page.indented(
            "  ",
            &format!("{} ({}{starts})", domain.name, domain.file),
            4,
        );
        for device in &domain.host_devices {
            fact(
                page,
                "hostdev",
                &format!("{} ({}:{})", device.address, domain.file, device.line),
            );
        }
    }
}

fn one(page: &mut Page, system: &System, guest: &Guest) {
    let mut text = format!(
        "{} {}",
        guest.number,
        guest.name.as_deref().unwrap_or("without a name")
    );
    for (is, what) in [
        (guest.template, "a template"),
        (guest.onboot, "starts with the host"),
        (guest.ha, "started by HA"),
    ] {
        if is {
            text.push_str(", ");
            text.push_str(what);
        }
    }
    let machine = guest.machine.as_deref().unwrap_or("i440fx");
    let bios = guest.bios.as_deref().unwrap_or("seabios");
    page.indented(
        "  ",
        &format!("{text} ({machine}, {bios}, on {})", guest.node),
        4,
    );
    for device in &guest.hostpci {
        fact(
            page,
            &format!("hostpci{}", device.index),
            &device_text(system, guest, device),
        );
    }
}

fn device_text(system: &System, guest: &Guest, device: &HostPci) -> String {
    let mut parts: Vec<String> = device.hosts.iter().map(ToString::to_string).collect();
    parts.extend(
        device
            .mapping
            .as_ref()
            .map(|name| format!("mapping {name}")),
    );
    parts.extend(
        device
            .options
            .iter()
            .map(|(key, value)| format!("{key}={value}")),
    );
    let found = system
        .devices
        .iter()
        .find(|found| found.guest == guest.number && found.index == device.index);
    let there = match found.map(|found| &found.functions) {
        Some(Reading::Known(functions)) if functions.is_empty() => "NOT ON THIS MACHINE".to_owned(),
        Some(Reading::Known(functions)) => {
            let names: Vec<String> = functions
                .iter()
                .map(|(address, id)| format!("{address} {id}"))
                .collect();
            format!("there: {}", names.join(", "))
        }
        _ => "not compared with a machine".to_owned(),
    };
    format!("{}: {there}", parts.join(", "))
}
