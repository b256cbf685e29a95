use std::collections::BTreeSet;

use proxmox::files::Files;
use proxmox::settings::parse_module_list;

use super::contents::Contents;
use super::{CONFIGURATION, InitrdError, InitrdFile, modprobe_files, read};

const LIST: &str = "conf/modules";
const SCRIPT: &str = "scripts/init-top/preflight-vfio";
const ORDER: &str = "scripts/init-top/ORDER";
const RUN: &str = "/scripts/init-top/preflight-vfio";
/// What mkinitramfs writes behind each script (initramfs-tools, scripts/functions, cache_run_scripts).
const PARAMETERS: &str = "[ -e /conf/param.conf ] && . /conf/param.conf";

/// The files that mkinitramfs would make otherwise now, and the modules of VFIO that it would add.
pub(super) fn files(
    contents: &Contents,
    root: &dyn Files,
) -> Result<(Vec<InitrdFile>, BTreeSet<String>), InitrdError> {
    let mut files = modprobe(contents, root)?;
    let (list, modules) = list(contents, root)?;
    let script = read(
        root,
        "/etc/initramfs-tools/scripts/init-top/preflight-vfio",
        CONFIGURATION,
    )?;
    let mut wanted: BTreeSet<String> = vfio(&modules).collect();
    wanted.extend(script.as_ref().map(|_| "vfio_pci".to_owned()));
    files.extend(list);
    files.extend(order(contents, script.is_some()));
    let changed = script.filter(|bytes| !contents.has(SCRIPT, bytes));
    files.extend(changed.map(|bytes| file(SCRIPT, 0o755, bytes)));
    Ok((files, wanted))
}

fn file(path: &str, mode: u32, bytes: Vec<u8>) -> InitrdFile {
    InitrdFile {
        path: path.to_owned(),
        mode,
        bytes,
    }
}

/// Files that are other ones now; one that is gone from the root is left empty, for nothing can be taken out.
fn modprobe(contents: &Contents, root: &dyn Files) -> Result<Vec<InitrdFile>, InitrdError> {
    let now = modprobe_files(root)?;
    let gone = contents.files.iter().filter(|(path, bytes)| {
        path.starts_with("etc/modprobe.d/")
            && path.ends_with(".conf")
            && !bytes.is_empty()
            && !now.iter().any(|(kept, _)| kept == *path)
    });
    let mut files: Vec<InitrdFile> = gone
        .map(|(path, _)| file(path, 0o644, Vec::new()))
        .collect();
    let changed = now
        .into_iter()
        .filter(|(path, bytes)| !contents.has(path, bytes));
    files.extend(changed.map(|(path, bytes)| file(&path, 0o644, bytes)));
    Ok(files)
}

type Modules = Vec<(usize, String, Vec<String>)>;

fn vfio(modules: &Modules) -> impl Iterator<Item = String> {
    let names = modules.iter().map(|(_, name, _)| name);
    names.filter(|name| name.starts_with("vfio")).cloned()
}

/// conf/modules: what the root lists, in its order, then what hooks had added. Of VFIO only what is listed is kept.
fn list(
    contents: &Contents,
    root: &dyn Files,
) -> Result<(Option<InitrdFile>, Modules), InitrdError> {
    let listed = read(root, "/etc/initramfs-tools/modules", CONFIGURATION)?;
    let listed = listed.unwrap_or_default();
    let mut modules = parse_module_list(&String::from_utf8_lossy(&listed));
    let before = parse_module_list(&contents.text(LIST));
    let is_listed: BTreeSet<String> = modules.iter().map(|(_, name, _)| name.clone()).collect();
    let added = before
        .iter()
        .filter(|(_, name, _)| !name.starts_with("vfio") && !is_listed.contains(name));
    modules.extend(added.cloned());
    let words = |modules: &Modules| -> Vec<(String, Vec<String>)> {
        let words = modules.iter();
        words
            .map(|(_, name, options)| (name.clone(), options.clone()))
            .collect()
    };
    if words(&modules) == words(&before) {
        return Ok((None, modules));
    }
    let lines = modules.iter().map(|(_, name, options)| {
        let options: String = options.iter().map(|option| format!(" {option}")).collect();
        format!("{name}{options}\n")
    });
    let text: String = lines.collect();
    Ok((Some(file(LIST, 0o644, text.into_bytes())), modules))
}

/// The order of the scripts of init-top: ours before every other, or not at all.
fn order(contents: &Contents, wanted: bool) -> Option<InitrdFile> {
    let before = contents.text(ORDER);
    let runs = |line: &&str| line.split_ascii_whitespace().next() == Some(RUN);
    let mut lines: Vec<&str> = before.lines().collect();
    let first = lines.iter().find(|line| line.starts_with("/scripts/"));
    if first.is_some_and(runs) == wanted && lines.iter().filter(|line| runs(line)).count() < 2 {
        return None;
    }
    while let Some(at) = lines.iter().position(runs) {
        lines.remove(at);
        if lines.get(at) == Some(&PARAMETERS) {
            lines.remove(at);
        }
    }
    let run = format!("{RUN} \"$@\"");
    if wanted {
        lines.splice(0..0, [run.as_str(), PARAMETERS]);
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    (text != before).then(|| file(ORDER, 0o644, text.into_bytes()))
}
