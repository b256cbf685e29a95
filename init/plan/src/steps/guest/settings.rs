use crate::draft::Draft;
use crate::edit::EditError;
use crate::edit::guest::GuestFile;

/// The guest's machine type and firmware are never switched without being asked for.
pub(super) fn machine(
    draft: &mut Draft,
    file: &mut GuestFile,
    reasons: &mut Vec<String>,
) -> Result<(), EditError> {
    for (option, key, words) in [
        ("machine", "machine", [("q35", "q35"), ("i440fx", "pc")]),
        ("bios", "bios", [("ovmf", "ovmf"), ("seabios", "seabios")]),
    ] {
        if !draft.ctx.is_asked(option) {
            continue;
        }
        let value = draft.option(
            option,
            (
                "leave",
                "a guest's system may not start after such a change",
            ),
        );
        let old = file.value(key)?;
        let word = words
            .iter()
            .find(|(name, _)| *name == value)
            .map_or("", |(_, word)| word);
        if is_so_already(key, old.as_deref(), &value) {
            continue;
        }
        match key {
            "machine" => file.set(key, &of_type(old.as_deref(), word))?,
            _ => file.set(key, word)?,
        }
        reasons.push(format!("{key}: asked for."));
        draft.warnings.push(format!("The guest's {key} changes: a system that was installed before may need repair to start."));
        if word == "ovmf" && file.value("efidisk0")?.is_none() {
            draft.warnings.push("The guest has no EFI disk: OVMF forgets its settings at every stop. Add one in its hardware.".to_owned());
        }
    }
    Ok(())
}

/// Whether a guest has that machine type or firmware: i440fx in one of its versions and SeaBIOS are what it has where
/// its file says nothing (PVE::QemuServer::Machine, PVE::QemuServer).
fn is_so_already(key: &str, old: Option<&str>, wanted: &str) -> bool {
    let has = match (key, old) {
        ("machine", old) if old.is_some_and(|old| old.contains("q35")) => "q35",
        ("machine", _) => "i440fx",
        (_, old) => old.unwrap_or("seabios"),
    };
    has == wanted
}

/// Another type in a machine's property, and what else is in it as it was (PVE::QemuServer::Machine, $machine_fmt).
fn of_type(old: Option<&str>, word: &str) -> String {
    let fields = old.into_iter().flat_map(|old| old.split(','));
    let others = fields.filter(|field| field.contains('=') && !field.starts_with("type="));
    let fields: Vec<&str> = std::iter::once(word).chain(others).collect();
    fields.join(",")
}

/// The value with what is wanted, and everything else as it was.
fn joined(old: Option<&str>, first: &str, options: &[(String, String)]) -> String {
    let mut fields: Vec<String> = match old {
        Some(old) => old.split(',').map(str::to_owned).collect(),
        None => vec![first.to_owned()],
    };
    for (key, value) in options {
        let wanted = format!("{key}={value}");
        match fields
            .iter_mut()
            .find(|field| field.split('=').next() == Some(key))
        {
            Some(field) => *field = wanted,
            None => fields.push(wanted),
        }
    }
    fields.join(",")
}

/// The model of a guest whose file names none (PVE::QemuServer::CPUConfig, get_cpu_options).
const DEFAULT_CPU: &str = "kvm64";

/// Old drivers of NVIDIA look for a hypervisor.
pub(super) fn hide(
    draft: &mut Draft,
    file: &mut GuestFile,
    reasons: &mut Vec<String>,
) -> Result<(), EditError> {
    if !draft.ctx.is_asked("hide-kvm") {
        return Ok(());
    }
    draft.option(
        "hide-kvm",
        (
            "no",
            "drivers from version 465 on do not mind a virtual machine",
        ),
    );
    let old = file.value("cpu")?;
    let value = joined(
        old.as_deref(),
        DEFAULT_CPU,
        &[
            ("hidden".to_owned(), "1".to_owned()),
            ("hv-vendor-id".to_owned(), "preflight".to_owned()),
        ],
    );
    file.set("cpu", &value)?;
    reasons.push(
        "cpu: NVIDIA's drivers before version 465 stop with code 43 when they see a hypervisor."
            .to_owned(),
    );
    Ok(())
}
