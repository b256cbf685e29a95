//! What an administrator should know of an installed system: settings that do not reach the kernel, and guests
//! whose devices are gone. Pure.

mod boot;
mod command_line;
mod devices;
mod esps;
mod initrds;
mod logs;
mod modules;
mod troubles;

use assess::{Finding, Severity};
use hardware::Machine;

use crate::installation::Installation;

/// What a rule sees.
struct Context<'a> {
    system: &'a Installation,
    /// The machine that the system is on, when it was read.
    machine: Option<&'a Machine>,
}

/// A rule: the ids that it can find, and how.
struct Rule {
    ids: &'static [&'static str],
    find: fn(&Context) -> Vec<Finding>,
}

const RULES: [Rule; 8] = [
    boot::RULE,
    command_line::RULE,
    initrds::RULE,
    esps::RULE,
    modules::RULE,
    devices::RULE,
    logs::RULE,
    troubles::RULE,
];

/// The id of every finding about an installed system. Each has an entry in docs/findings.md.
pub fn finding_ids() -> impl Iterator<Item = &'static str> {
    let of_disks = crate::disks::IDS;
    RULES
        .iter()
        .flat_map(|rule| rule.ids)
        .copied()
        .chain(of_disks)
}

/// What there is to say of a system, the worst first. Devices are compared with `machine`; without one, nothing
/// is said about them.
pub fn differences(system: &Installation, machine: Option<&Machine>) -> Vec<Finding> {
    let context = Context { system, machine };
    let mut findings: Vec<Finding> = RULES
        .iter()
        .flat_map(|rule| (rule.find)(&context))
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// A finding about a system, without a function.
pub(crate) fn finding(
    id: &'static str,
    severity: Severity,
    summary: impl Into<String>,
    evidence: Vec<String>,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        id: id.to_owned().into(),
        severity,
        unknown: false,
        function: None,
        summary: summary.into(),
        evidence,
        remedy: Some(remedy.into().into()),
    }
}

#[cfg(test)]
mod tests;
