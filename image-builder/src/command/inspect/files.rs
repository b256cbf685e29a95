use image_builder::inspect::{Content, StoredFile};

use super::super::output::harmless;
use super::{efi, initramfs, signers, size, summary, table};

/// The files of a file system under a heading, and what else there is to say about those that a machine boots with.
pub(super) fn text(
    head: &str,
    files: &[StoredFile],
    broken: Option<&str>,
    differences: &[String],
) -> String {
    let mut text = format!("\n\n{}: ", harmless(head));
    if let Some(why) = broken {
        text.push_str(&format!("DAMAGED: {}; ", harmless(why)));
    }
    if files.is_empty() {
        text.push_str("no files");
        return text;
    }
    text.push_str(&format!("{} files\n", files.len()));
    let head = ["MB", "file", "what it is"].map(str::to_owned);
    let lines = files
        .iter()
        .map(|file| [size(file.bytes), file.path.clone(), words(file)]);
    let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
    table::columns(&mut text, &lines);
    if !differences.is_empty() {
        text.push('\n');
    }
    for difference in differences {
        table::field(&mut text, "CHANGED", difference);
    }
    for file in files {
        text.push_str(&details(file));
    }
    text
}

fn words(file: &StoredFile) -> String {
    let what = match (&file.content, &file.sha256) {
        (Some(content), _) => summary(content),
        (None, None) => "UNREADABLE".to_owned(),
        (None, Some(_)) => String::new(),
    };
    match &file.package {
        Some(package) if what.is_empty() => package.clone(),
        Some(package) => format!("{what}, {package}"),
        None => what,
    }
}

fn details(file: &StoredFile) -> String {
    let mut text = String::new();
    match &file.content {
        Some(Content::Initramfs(content)) => text.push_str(&initramfs::overview(content)),
        Some(Content::Kernel(kernel)) => {
            table::field(
                &mut text,
                "signature",
                &signers(kernel.signed_by.as_deref()),
            );
        }
        Some(Content::EfiProgram(program)) => text.push_str(&efi::overview(program)),
        Some(Content::Disk(_) | Content::Iso(_)) | None => return text,
    }
    format!("\n\n{}:{text}", harmless(&file.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_file_system_begins_a_line_of_its_own() {
        let text = text("partition 1, a\nb", &[], Some("folder c\nd"), &[]);
        assert_eq!(text, "\n\npartition 1, a?b: DAMAGED: folder c?d; no files");
    }
}
