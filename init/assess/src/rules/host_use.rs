use hardware::{HostRole, Mount, Reading};

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const UNKNOWN: FindingId = FindingId::new("host.use-unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[UNKNOWN],
    judge,
};

/// Which disk holds the running system, and which interface leads to it: where that was not read, disks and
/// interfaces are all alike, and a person has to know.
fn judge(ctx: &Context) -> Vec<Finding> {
    let has = |role| {
        let devices = &ctx.machine.host_devices;
        devices
            .known()
            .into_iter()
            .flatten()
            .any(|device| device.role == role)
    };
    let disk = why_root_is_unknown(&ctx.machine.mounts)
        .filter(|_| has(HostRole::Disk))
        .map(|why| ("disk", why));
    let network = match &ctx.machine.default_routes {
        Reading::Unknown(why) if has(HostRole::Network) => {
            Some(("network interface", why.to_string()))
        }
        _ => None,
    };
    let open: Vec<(&str, String)> = disk.into_iter().chain(network).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let what: Vec<&str> = open.iter().map(|(what, _)| *what).collect();
    let summary = format!(
        "Which {} the running system needs could not be read.",
        what.join(" and which ")
    );
    vec![
        Finding::note(UNKNOWN, None, summary)
            .seen_all(open.into_iter().map(|(what, why)| format!("{what}: {why}")))
            .remedy("Look yourself before you give a disk controller or a network card away."),
    ]
}

fn why_root_is_unknown(mounts: &Reading<Vec<Mount>>) -> Option<String> {
    match mounts {
        Reading::Unknown(why) => Some(why.to_string()),
        Reading::Absent => None,
        Reading::Known(mounts) => {
            let root = mounts.iter().find(|mount| mount.point == "/")?;
            match &root.disks {
                Reading::Unknown(why) => Some(why.to_string()),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use crate::{Severity, Verdict};

    const NVME: &str = "02:00.0";

    fn with_disk() -> Builder {
        Builder::good()
            .add(NVME, 0x01_08_02)
            .host_device(HostRole::Disk, "nvme0n1", NVME, "")
    }

    #[test]
    fn a_root_whose_disks_do_not_show_is_a_note() {
        let machine =
            with_disk().mount("/", Reading::Unknown("zfs does not show its disks".into()));
        let found = machine.only(&RULE);
        assert_eq!((found.severity, found.function), (Severity::Note, None));
        assert!(found.summary.contains("Which disk the"));
        assert!(found.evidence[0].contains("zfs"));
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn routes_that_were_not_read_are_named_where_there_are_interfaces() {
        let mut machine = with_disk().host_device(HostRole::Network, "eno1", "03:00.0", "up");
        machine.machine.default_routes = Reading::Unknown("not copied".into());
        machine.machine.mounts = Reading::Unknown("not copied".into());
        let found = machine.only(&RULE);
        assert!(found.summary.contains("disk and which network interface"));
    }

    #[test]
    fn a_known_root_and_a_machine_without_disks_are_no_finding() {
        let known = with_disk().mount("/", Reading::Known(vec!["nvme0n1".into()]));
        assert!(known.findings_of(&RULE).is_empty());
        let mut bare = Builder::good();
        bare.machine.mounts = Reading::Unknown("not copied".into());
        assert!(bare.findings_of(&RULE).is_empty());
    }
}
