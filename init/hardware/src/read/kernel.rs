use crate::kernel_log::{messages, relevant};
use crate::tree::TEXT_LIMIT;
use crate::{Cpu, Kernel, Reading, Source};

/// The kernel that judged. What a copy has no file for may stand in its log.
pub(super) fn kernel(source: &Source, log: &Reading<String>) -> Kernel {
    let in_log = |prefix: &str, first_word_only: bool| {
        let found = messages(log.known()?).find_map(|message| message.strip_prefix(prefix))?;
        let found = if first_word_only {
            found.split_whitespace().next()?
        } else {
            found.trim()
        };
        Some(found.to_owned())
    };
    let or_log = |reading: Reading<String>, found: Option<String>| match (reading, found) {
        (Reading::Unknown(_) | Reading::Absent, Some(found)) => Reading::Known(found),
        (reading, _) => reading,
    };
    Kernel {
        release: or_log(
            source.proc_text("sys/kernel/osrelease", TEXT_LIMIT),
            in_log("Linux version ", true),
        ),
        command_line: or_log(
            source.proc_text("cmdline", TEXT_LIMIT),
            in_log("Command line: ", false).or_else(|| in_log("Kernel command line: ", false)),
        ),
        log: log.as_ref().map(|log| relevant(log)),
    }
}

/// The first processor of /proc/cpuinfo; the others are alike in what is asked here.
pub(super) fn cpu(source: &Source) -> Cpu {
    let info = source.proc_text("cpuinfo", TEXT_LIMIT);
    let field = |name: &str| {
        info.as_ref().and_then(|info| {
            let value = info
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find_map(|(key, value)| (key.trim() == name).then(|| value.trim().to_owned()));
            value.ok_or_else(|| format!("/proc/cpuinfo has no '{name}'"))
        })
    };
    let flags = field("flags");
    let has = |names: &[&str]| {
        flags
            .as_ref()
            .map(|flags| flags.split_whitespace().any(|flag| names.contains(&flag)))
    };
    Cpu {
        vendor: field("vendor_id"),
        model: field("model name"),
        virtualization: has(&["vmx", "svm"]),
        hypervisor: has(&["hypervisor"]),
    }
}
