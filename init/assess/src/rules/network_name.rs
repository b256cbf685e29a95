use hardware::HostRole;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const BY_BUS: FindingId = FindingId::new("network.name-by-bus");

pub(super) const RULE: Rule = Rule {
    ids: &[BY_BUS],
    judge,
};

/// Said once for the machine. Names appear only where the host's own drivers run.
fn judge(ctx: &Context) -> Vec<Finding> {
    let devices = ctx.host.known().into_iter().flatten();
    let named: Vec<String> = devices
        .filter(|device| device.role == HostRole::Network && is_by_bus(&device.name))
        .map(|device| format!("{} is on {}", device.name, device.function))
        .collect();
    if named.is_empty() {
        return Vec::new();
    }
    let summary = "The names of network interfaces hold bus numbers, which can change when a card is added, \
                   removed or moved.";
    vec![Finding::note(BY_BUS, None, summary).seen_all(named).remedy(
        "Before you move cards, pin the names to the interfaces' MAC addresses \
                 ('pve-network-interface-pinning generate' in Proxmox VE 9, else a .link file in \
                 /etc/systemd/network), or have a screen at hand to mend /etc/network/interfaces.",
    )]
}

/// systemd's names by place: `enp5s0`, `wlp3s0f0u2`, `enP1p2s0` (systemd.net-naming-scheme,
/// `ID_NET_NAME_PATH`). Bus 0 has no bridge above it and keeps its number.
fn is_by_bus(name: &str) -> bool {
    let kinds = ["en", "wl", "ww", "ib"];
    let Some(place) = kinds.iter().find_map(|kind| name.strip_prefix(kind)) else {
        return false;
    };
    let place = numbered(place, 'P').map_or(place, |(_, rest)| rest);
    let bus = numbered(place, 'p');
    bus.is_some_and(|(bus, rest)| bus != "0" && numbered(rest, 's').is_some())
}

/// The number behind a letter, and what follows it.
fn numbered(text: &str, letter: char) -> Option<(&str, &str)> {
    let text = text.strip_prefix(letter)?;
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(length).filter(|_| length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use crate::{Severity, Verdict};

    fn with(name: &str) -> Builder {
        Builder::good().add("05:00.0", 0x02_00_00).host_device(
            HostRole::Network,
            name,
            "05:00.0",
            "up",
        )
    }

    #[test]
    fn a_name_that_holds_a_bus_number_is_a_note_about_the_machine() {
        for name in ["enp5s0", "enp5s0f1np1", "wlp3s0", "enP1p5s0"] {
            let machine = with(name);
            let found = machine.only(&RULE);
            assert_eq!(
                (found.severity, found.function),
                (Severity::Note, None),
                "{name}"
            );
            assert_eq!(machine.gpu_verdict(), Verdict::Ready);
        }
    }

    #[test]
    fn other_names_are_no_finding() {
        for name in [
            "eth0",
            "eno1",
            "ens18",
            "nic0",
            "enx001122334455",
            "enp",
            "wlan0",
        ] {
            assert!(with(name).findings_of(&RULE).is_empty(), "{name}");
        }
    }

    #[test]
    fn what_could_not_be_read_says_nothing() {
        let machine = with("enp5s0").host_devices_unread();
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
