use image_builder::inspect::Initramfs;

use super::{size, table};

/// What it is, in a few words.
pub(super) fn summary(initramfs: &Initramfs) -> String {
    match initramfs.maker {
        Some(maker) => format!("initramfs made by {}", maker.name()),
        None => "initramfs of unknown make".to_owned(),
    }
}

/// All about it but the summary.
pub(super) fn text(initramfs: &Initramfs) -> String {
    let mut text = overview(initramfs);
    text.push_str(&modules(initramfs));
    text
}

/// Everything but the list of modules.
pub(super) fn overview(initramfs: &Initramfs) -> String {
    let mut text = String::new();
    if let Some(why) = &initramfs.broken {
        table::field(
            &mut text,
            "DAMAGED",
            &format!("{why}; what stands before it is shown"),
        );
    }
    for difference in &initramfs.differences {
        table::field(&mut text, "CHANGED", difference);
    }
    for release in &initramfs.releases {
        let size = size(release.bytes);
        let words = format!(
            "{}, {} modules, {size} MB",
            release.release, release.modules
        );
        table::field(&mut text, "kernel", &words);
    }
    if initramfs.releases.is_empty() {
        table::field(&mut text, "kernel", "any: it has no modules");
    }
    for file in &initramfs.early {
        let words = format!("{}, {} MB", file.path, size(file.bytes.into()));
        table::field(&mut text, "loaded early", &words);
    }
    text.push('\n');
    segments(&mut text, initramfs);
    text.push('\n');
    sizes(&mut text, initramfs);
    text.push('\n');
    list(&mut text, "programs", initramfs.programs.iter().cloned());
    list(
        &mut text,
        "licence texts",
        initramfs.license_texts.iter().cloned(),
    );
    let licenses = initramfs.module_licenses.iter();
    let licenses = licenses.map(|(license, count)| format!("{license}: {count}"));
    list(&mut text, "module licences", licenses);
    text
}

fn list(text: &mut String, name: &str, words: impl Iterator<Item = String>) {
    let words: Vec<String> = words.collect();
    if !words.is_empty() {
        let head = format!("  {name:15} ");
        let last = words.len() - 1;
        let words = words.iter().enumerate();
        let words: Vec<String> = words
            .map(|(index, word)| {
                if index == last {
                    word.clone()
                } else {
                    format!("{word},")
                }
            })
            .collect();
        table::wrapped(text, &head, words.iter().map(String::as_str), " ");
    }
}

fn segments(text: &mut String, initramfs: &Initramfs) {
    let head = ["segment", "at byte", "MB", "unpacked", "entries"].map(str::to_owned);
    let segments = initramfs.segments.iter().map(|segment| {
        [
            segment.compression.name().to_owned(),
            segment.offset.to_string(),
            size(segment.packed as u64),
            size(segment.unpacked),
            segment.entries.to_string(),
        ]
    });
    let lines: Vec<_> = std::iter::once(head).chain(segments).collect();
    table::columns(text, &lines);
}

fn sizes(text: &mut String, initramfs: &Initramfs) {
    let head = ["unpacked MB", "files", "what for"].map(str::to_owned);
    let sizes = initramfs.sizes.iter().map(|total| {
        [
            size(total.bytes),
            total.files.to_string(),
            total.purpose.clone(),
        ]
    });
    let lines: Vec<_> = std::iter::once(head).chain(sizes).collect();
    table::columns(text, &lines);
}

/// A line for each module: with the reason where it is known, else with its folder.
fn modules(initramfs: &Initramfs) -> String {
    if initramfs.modules.is_empty() {
        return String::new();
    }
    let known = initramfs
        .modules
        .iter()
        .any(|module| module.because.is_some());
    let why = if known { "why" } else { "folder" };
    let head = ["module", "MB", "licence", why].map(str::to_owned);
    let modules = initramfs.modules.iter().map(|module| {
        let folder = module
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        let folder = folder.strip_prefix("kernel/").unwrap_or(folder);
        [
            module.name.clone(),
            size(module.bytes.into()),
            module.license.clone().unwrap_or_else(|| "-".to_owned()),
            module.because.as_deref().unwrap_or(folder).to_owned(),
        ]
    });
    let lines: Vec<_> = std::iter::once(head).chain(modules).collect();
    let mut text = String::from("\n");
    table::columns(&mut text, &lines);
    text
}
