use image_builder::inspect::{EfiProgram, UnifiedKernel};

use super::super::output::harmless;
use super::{initramfs, signers, size, table};

/// What it is, in a few words.
pub(super) fn summary(program: &EfiProgram) -> String {
    match &program.unified {
        None => "program for UEFI".to_owned(),
        Some(unified) => {
            let kernel = unified.kernel.as_ref().and_then(|kernel| kernel.release());
            let release = kernel.or(unified.release.as_deref());
            format!(
                "unified kernel image, kernel {}",
                release.unwrap_or("of unknown version")
            )
        }
    }
}

/// All about it but the summary.
pub(super) fn text(program: &EfiProgram) -> String {
    let mut text = overview(program);
    text.push('\n');
    let head = ["section", "at byte", "MB", "from"].map(str::to_owned);
    let lines = program.sections.iter().map(|section| {
        let (name, package) = (section.name.clone(), section.package.clone());
        let start = section.start.to_string();
        [
            name,
            start,
            size(section.bytes),
            package.unwrap_or_default(),
        ]
    });
    let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
    table::columns(&mut text, &lines);
    let initramfs = program
        .unified
        .as_ref()
        .and_then(|unified| unified.initramfs.as_ref());
    if let Some(initramfs) = initramfs {
        let what = initramfs::summary(initramfs);
        text.push_str(&format!("\n\n.initrd: {}\n", harmless(&what)));
        text.push_str(&initramfs::text(initramfs));
    }
    text
}

/// Everything but its sections.
pub(super) fn overview(program: &EfiProgram) -> String {
    let mut text = String::new();
    table::field(
        &mut text,
        "signature",
        &signers(program.signed_by.as_deref()),
    );
    let sbat = match program.sbat.as_slice() {
        [] => "none: it cannot be revoked by its generation".to_owned(),
        generations => generations.join(" "),
    };
    table::field(&mut text, "SBAT", &sbat);
    if let Some(unified) = &program.unified {
        unified_fields(&mut text, unified);
    }
    text
}

fn unified_fields(text: &mut String, unified: &UnifiedKernel) {
    let kernel = unified.kernel.as_ref();
    let version = kernel.and_then(|kernel| kernel.version.as_deref());
    let mut release = unified
        .release
        .clone()
        .unwrap_or_else(|| "not said".to_owned());
    if let (Some(said), Some(kernel)) =
        (&unified.release, kernel.and_then(|kernel| kernel.release()))
        && said != kernel
    {
        release = format!("{said}, but the kernel in it is {kernel}");
    }
    let initramfs = match &unified.initramfs {
        Some(initramfs) => initramfs::summary(initramfs),
        None => "none".to_owned(),
    };
    let fields = [
        ("system", unified.system.as_deref().unwrap_or("not said")),
        ("release", &release),
        (
            "command line",
            unified.command_line.as_deref().unwrap_or("none"),
        ),
        ("kernel", version.unwrap_or("none that a PC starts")),
        ("initramfs", &initramfs),
    ];
    for (name, value) in fields {
        table::field(text, name, value);
    }
}
