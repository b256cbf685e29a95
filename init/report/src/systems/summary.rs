use assess::Severity;
use hardware::Reading;
use proxmox::{System, Systems};

use crate::page::ascii;

/// A line of plain ASCII for each installed system, or one that says why there is none. Lines are not wrapped.
pub fn systems_summary_lines(systems: &Systems) -> Vec<String> {
    let mut lines: Vec<String> = systems.systems.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("Installed here: no system was found.".to_owned());
    }
    let unread = systems.findings.iter().filter(|finding| finding.unknown);
    match unread.count() {
        0 => {}
        1 => lines.push("One part of the disks could not be read.".to_owned()),
        count => lines.push(format!("{count} parts of the disks could not be read.")),
    }
    lines
        .into_iter()
        .map(|line| ascii(&line).into_owned())
        .collect()
}

fn line(system: &System) -> String {
    let mut line = format!("Installed here: {}", system.name());
    if let Reading::Known(layout) = &system.installation.layout {
        line.push_str(&format!(" ({layout})"));
    }
    match system.installation.next_boots().as_slice() {
        [] => line.push_str(", whose next start could not be told"),
        boots => {
            for (index, (method, next)) in boots.iter().enumerate() {
                let lead = if index == 0 { ", starts" } else { ", or" };
                let kernel = next.kernel.as_deref().unwrap_or("without a version");
                line.push_str(&format!("{lead} by {method}, next kernel {kernel}"));
            }
        }
    }
    let serious = system
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note);
    match serious.count() {
        0 => line.push('.'),
        1 => line.push_str("; one thing does not fit together."),
        count => line.push_str(&format!("; {count} things do not fit together.")),
    }
    line
}
