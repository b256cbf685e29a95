//! Installed systems: a page that their administrator knows as theirs, and the JSON document.

mod boot;
mod disks;
mod guests;
mod settings;
mod summary;

use assess::{Finding, Severity};
use hardware::Reading;
use proxmox::{System, Systems};

use crate::TextOptions;
use crate::label::fact;
use crate::page::Page;

pub use summary::systems_summary_lines;

/// The document as pretty JSON, which is the contract of `preflight systems --format json`. Ends in a newline.
pub fn systems_json(systems: &Systems) -> String {
    let written = serde_json::to_string_pretty(systems);
    let mut text = written.unwrap_or_else(|error| {
        let document = serde_json::json!({
            "schema": systems.schema,
            "error": format!("the systems cannot be written as JSON: {error}"),
        });
        document.to_string()
    });
    text.push('\n');
    text
}

/// The systems for a person, in plain ASCII: what each is, how it starts, what is set, its guests, and what does
/// not fit together. Colours are not used.
pub fn systems_text(systems: &Systems, options: &TextOptions) -> String {
    let mut page = Page::new(options.width);
    if systems.systems.is_empty() {
        page.paragraph("", "No installed system was found.");
    }
    for system in &systems.systems {
        one(&mut page, system, systems.systems.len() > 1);
    }
    if let Some(look) = &systems.look {
        disks::all(&mut page, look);
        if !systems.findings.is_empty() {
            findings(&mut page, "WHAT TO KNOW ABOUT THE DISKS", &systems.findings);
        }
    }
    page.gap();
    page.paragraph(
        "",
        "What is in [brackets] is explained in docs/findings.md.",
    );
    page.finish()
}

fn one(page: &mut Page, system: &System, several: bool) {
    let installation = &system.installation;
    let number = match several {
        true => format!("{}. ", system.number),
        false => String::new(),
    };
    page.title(&format!("{number}{} in {}", system.name(), system.location));
    boot::boot(page, installation);
    settings::settings(page, installation);
    guests::guests(page, system);
    uses(page, system);
    findings(page, "WHAT DOES NOT FIT TOGETHER", &system.findings);
}

/// What the disks and the network hang on.
fn uses(page: &mut Page, system: &System) {
    let installation = &system.installation;
    page.title("DISKS AND NETWORK");
    for line in &installation.fstab {
        fact(
            page,
            "mounts",
            &format!("{} on {} ({})", line.device, line.mount_point, line.kind),
        );
    }
    disks::own(page, installation);
    let stores = installation
        .guests
        .known()
        .map(|guests| guests.stores.as_slice());
    for store in stores.unwrap_or_default() {
        let kind = store.kind.as_deref().unwrap_or("store");
        let where_from = ["pool", "path", "thinpool", "vgname", "server"];
        let places: Vec<&str> = where_from
            .iter()
            .flat_map(|key| store.values(key))
            .collect();
        fact(
            page,
            "store",
            &format!("{} ({kind} {})", store.id, places.join(" ")),
        );
    }
    for interface in &installation.network {
        let mut text = interface.name.clone();
        if let Some(bridge) = &interface.port_of {
            text.push_str(&format!(", a port of {bridge}"));
        }
        match interface.function {
            Some(_) if interface.pinned => text.push_str("; its name is pinned to its MAC address"),
            Some(function) => text.push_str(&format!("; its name stands for {function}")),
            None => {}
        }
        fact(page, "network", &format!("{text} ({})", interface.place));
    }
}

fn findings(page: &mut Page, title: &str, findings: &[Finding]) {
    page.title(title);
    if findings.is_empty() {
        fact(page, "", "Nothing was found.");
    }
    for finding in findings {
        let weight = match finding.severity {
            Severity::Blocks => "BLOCKS",
            Severity::Caution if finding.unknown => "UNKNOWN",
            Severity::Caution => "CARE",
            Severity::Note => "NOTE",
        };
        page.gap();
        page.indented(
            "  ",
            &format!("{weight} {} [{}]", finding.summary, finding.id),
            4,
        );
        for line in &finding.evidence {
            page.indented("    ", &format!("- {line}"), 6);
        }
        if let Some(remedy) = &finding.remedy {
            page.indented("    ", &format!("Do: {remedy}"), 8);
        }
    }
}

pub(super) fn said<T>(reading: &Reading<T>, text: impl Fn(&T) -> String, absent: &str) -> String {
    match reading {
        Reading::Known(value) => text(value),
        Reading::Absent => absent.to_owned(),
        Reading::Unknown(why) => format!("not known: {why}"),
    }
}
