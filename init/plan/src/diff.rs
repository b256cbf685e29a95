use std::fmt::Write;

use similar::TextDiff;

use crate::plan::{Body, Change, Content, Plan, Tree};

/// The plan for a person: every change as a unified diff behind its reasons, then what follows from it, and what
/// stands against it.
pub fn diff(plan: &Plan) -> String {
    let mut text = String::new();
    let devices: Vec<String> = plan.devices.iter().map(ToString::to_string).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "Plan for {}: {}", plan.system, devices.join(", "));
    let _ = match plan.guest {
        Some(guest) => writeln!(text, " for guest {guest}"),
        None => writeln!(text),
    };
    for change in &plan.changes {
        let _ = writeln!(text);
        for reason in &change.reasons {
            let _ = writeln!(text, "# {reason}");
        }
        text.push_str(&of_change(change));
    }
    if plan.changes.is_empty() {
        let _ = writeln!(text, "\nNothing has to be changed.");
    }
    list(
        &mut text,
        "Options",
        plan.options.iter().map(|used| {
            let by = if used.asked { "asked for" } else { "default" };
            format!("{}={} ({by}): {}", used.option, used.value, used.reason)
        }),
    );
    let needs = &plan.needs;
    let initrds = needs
        .initramfs
        .iter()
        .map(|kernel| format!("the initrd of {kernel}"));
    let boot = needs
        .boot_files
        .iter()
        .map(|method| format!("the boot files of {method}"));
    list(&mut text, "To be made anew", initrds.chain(boot));
    list(&mut text, "Warnings", plan.warnings.iter().cloned());
    list(&mut text, "Notes", plan.notes.iter().cloned());
    let refusals = plan.refusals.iter().map(|refusal| {
        let evidence: String = refusal
            .evidence
            .iter()
            .map(|line| format!("\n    {line}"))
            .collect();
        let way = match (refusal.accepted, refusal.can_be_accepted) {
            (true, _) => " (accepted)".to_owned(),
            (false, true) => format!("\n    To do it all the same: --accept {}", refusal.id),
            (false, false) => String::new(),
        };
        format!("{}: {}{evidence}{way}", refusal.id, refusal.summary)
    });
    list(&mut text, "Refused", refusals);
    text
}

fn list(text: &mut String, title: &str, items: impl Iterator<Item = String>) {
    for (index, item) in items.enumerate() {
        if index == 0 {
            let _ = writeln!(text, "\n{title}:");
        }
        let _ = writeln!(text, "  {item}");
    }
}

/// Two texts as a unified diff of a file with this name.
pub fn text_diff(before: &str, after: &str, path: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff()
        .context_radius(3)
        .header(path, path)
        .to_string()
}

fn of_change(change: &Change) -> String {
    let path = match change.tree {
        Tree::Root => change.path.clone(),
        Tree::Pve => format!("/etc/pve/{}", change.path),
        Tree::Stick => format!("stick: {}", change.path),
    };
    let mode = change
        .mode
        .map(|mode| format!(" (mode {mode:o})"))
        .unwrap_or_default();
    if let Body::File(source) = &change.after.body {
        return format!(
            "+++ {path}: a copy of {source}, {} bytes, SHA-256 {}\n",
            change.after.length, change.after.sha256
        );
    }
    let (before, after) = (change.before.as_ref().map(lines), lines(&change.after));
    let from = if before.is_some() {
        path.as_str()
    } else {
        "/dev/null"
    };
    let before = before.unwrap_or_default();
    let diff = TextDiff::from_lines(&before, &after);
    let to = format!("{path}{mode}");
    diff.unified_diff()
        .context_radius(3)
        .header(from, &to)
        .to_string()
}

/// Bytes that are no UTF-8 are shown as the sign for that.
fn lines(content: &Content) -> String {
    String::from_utf8_lossy(&content.bytes().unwrap_or_default()).into_owned()
}
