use hardware::{FirmwareKind, Reading};
use proxmox::boot::way::Way;
use proxmox::{Installation, InstalledKernel};

use super::said;
use crate::label::fact;
use crate::page::Page;

pub(super) fn boot(page: &mut Page, installation: &Installation) {
    page.title("START");
    let ways = installation.boot.ways();
    if ways.is_empty() {
        fact(page, "starts by", "nothing that could be found");
    }
    for (kind, way) in ways {
        one_way(page, kind, way);
    }
    for (pin, what) in [
        (&installation.boot.pin, "for every start"),
        (&installation.boot.next_pin, "for the next start alone"),
    ] {
        if let Reading::Known(version) = pin {
            fact(page, "pinned", &format!("{version}, {what}"));
        }
    }
    for esp in &installation.boot.esps {
        let kept = match esp.listed {
            Some(true) => ", kept by proxmox-boot-tool",
            Some(false) => ", not kept by proxmox-boot-tool",
            None => "",
        };
        let kernels: Vec<&str> = esp
            .kernels
            .iter()
            .map(|kernel| kernel.version.as_str())
            .collect();
        let kernels = if kernels.is_empty() {
            "no kernels".to_owned()
        } else {
            format!("kernels {}", kernels.join(", "))
        };
        fact(page, "ESP", &format!("{}{kept}: {kernels}", esp.label()));
    }
    page.title("KERNELS");
    if installation.kernels.is_empty() {
        fact(page, "", "None was found in /boot or on an ESP.");
    }
    for kernel in &installation.kernels {
        one_kernel(page, kernel);
    }
}

fn one_way(page: &mut Page, kind: FirmwareKind, way: &Way) {
    let firmware = match kind {
        FirmwareKind::Uefi => "UEFI",
        FirmwareKind::Bios => "BIOS",
    };
    let method = said(&way.method, ToString::to_string, "nothing");
    fact(
        page,
        "starts by",
        &format!("{method} (on a start by {firmware})"),
    );
    match &way.next {
        Reading::Known(next) => {
            let kernel = next
                .kernel
                .as_deref()
                .unwrap_or("a kernel without a version");
            let once = if next.once { ", this once" } else { "" };
            fact(
                page,
                "next",
                &format!("{kernel}{once}: '{}'", next.titles.join(" > ")),
            );
            fact(page, "with", next.command_line.as_str());
            fact(page, "says", &next.place.to_string());
        }
        Reading::Absent => {}
        Reading::Unknown(why) => fact(page, "next", &format!("not known: {why}")),
    }
}

fn one_kernel(page: &mut Page, kernel: &InstalledKernel) {
    let facts = &kernel.facts;
    let yes_no = |value: &bool| if *value { "yes" } else { "no" }.to_owned();
    let vfio = said(&facts.vfio_pci, ToString::to_string, "not there");
    let default = said(&facts.intel_iommu_default, yes_no, "no");
    let acs = said(&facts.acs_override, yes_no, "no");
    let simpledrm = said(&facts.simpledrm, ToString::to_string, "not there");
    page.indented("  ", &kernel.version, 4);
    fact(
        page,
        "can",
        &format!(
            "vfio-pci {vfio}; Intel IOMMU on by default: {default}; simpledrm {simpledrm}; ACS override: {acs}"
        ),
    );
    for copy in &kernel.initrds {
        let holds = said(
            &copy.content,
            |seen| {
                let vfio: Vec<&str> = seen
                    .holds
                    .modules
                    .iter()
                    .filter(|module| module.starts_with("vfio"))
                    .map(String::as_str)
                    .collect();
                let vfio = if vfio.is_empty() {
                    "no vfio modules".to_owned()
                } else {
                    vfio.join(", ")
                };
                let broken = seen.holds.broken.as_ref().map(|why| format!("; {why}"));
                format!(
                    "{} MiB, {vfio}{}",
                    seen.size.div_ceil(1 << 20),
                    broken.unwrap_or_default()
                )
            },
            "not there",
        );
        fact(page, "initrd", &format!("{}: {holds}", copy.path));
    }
}
