use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use modules::ModuleName;
use proxmox::files::Files;

use super::contents::Contents;
use super::kmod_index;
use super::{InitrdError, InitrdFile, read};

/// No module is larger, unpacked.
const MODULE: u64 = 64 << 20;
/// modules.dep of a distribution's kernel is below 1 MB.
const LIST: u64 = 16 << 20;

/// A line of modules.dep: the path of a module below the folder of its kernel, and those that it needs.
struct Line {
    path: String,
    needed: Vec<String>,
}

/// The modules that are wanted and not in the initrd, with those that they need, and the lists by which modprobe
/// finds them. A module that the kernel does not have as one is built in, or not there: nothing to add.
pub(super) fn files(
    contents: &Contents,
    root: &dyn Files,
    version: &str,
    wanted: &BTreeSet<String>,
) -> Result<Vec<InitrdFile>, InitrdError> {
    let (from, list) = list(root, version)?;
    let known = parse(&list);
    let wanted = wanted.iter().filter_map(|module| known.get(module));
    let needed: BTreeSet<String> = wanted
        .flat_map(|line| std::iter::once(&line.path).chain(&line.needed))
        .filter_map(|path| name(path))
        .collect();
    let folder = contents.modules.as_deref();
    let inside = inside(contents, folder.unwrap_or_default());
    let missing: Vec<(&String, &Line)> = needed
        .iter()
        .filter(|module| !inside.contains_key(*module))
        .filter_map(|module| known.get_key_value(module))
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let folder = folder.ok_or_else(|| InitrdError::NoModules(version.to_owned()))?;
    let mut files = Vec::new();
    let mut lines = contents.text(&format!("{folder}/modules.dep"));
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    for (_, line) in missing {
        let path = format!("{from}/{}", line.path);
        let packed = read(root, &path, MODULE)?.ok_or_else(|| InitrdError::Module {
            path: path.clone(),
            why: "modules.dep names it, and it is not there".to_owned(),
        })?;
        let bytes =
            unpacked(&line.path, &packed).map_err(|why| InitrdError::Module { path, why })?;
        let place = plain(&line.path);
        let needed: String = line
            .needed
            .iter()
            .filter_map(|path| {
                Some(
                    inside
                        .get(&name(path)?)
                        .map_or_else(|| plain(path), String::as_str),
                )
            })
            .map(|path| format!(" {path}"))
            .collect();
        lines.push_str(&format!("{place}:{needed}\n"));
        files.push(module_file(&format!("{folder}/{place}"), bytes));
    }
    let index = kmod_index::of(lines.lines().filter_map(|line| {
        let (path, _) = line.split_once(':')?;
        Some((name(path)?, line.to_owned()))
    }));
    files.push(module_file(
        &format!("{folder}/modules.dep"),
        lines.into_bytes(),
    ));
    files.push(module_file(&format!("{folder}/modules.dep.bin"), index));
    Ok(files)
}

fn module_file(path: &str, bytes: Vec<u8>) -> InitrdFile {
    InitrdFile {
        path: path.to_owned(),
        mode: 0o644,
        bytes,
    }
}

fn name(path: &str) -> Option<String> {
    ModuleName::of_file(path).map(|name| name.to_string())
}

/// The path of a module without what says how it is packed.
fn plain(path: &str) -> &str {
    let end = path.rfind(".ko").map(|at| at + 3);
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The folder of a kernel's modules in the root, and its modules.dep; empty where there is none.
fn list(root: &dyn Files, version: &str) -> Result<(String, String), InitrdError> {
    for folder in ["/lib/modules", "/usr/lib/modules"] {
        let folder = format!("{folder}/{version}");
        if let Some(bytes) = read(root, &format!("{folder}/modules.dep"), LIST)? {
            return Ok((folder, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok((String::new(), String::new()))
}

fn parse(text: &str) -> BTreeMap<String, Line> {
    let lines = text.lines().filter_map(|line| {
        let (path, needed) = line.split_once(':')?;
        let needed = needed.split_whitespace().map(str::to_owned).collect();
        let path = path.to_owned();
        Some((name(&path)?, Line { path, needed }))
    });
    lines.collect()
}

/// Modules that the initrd has: the path of each below the folder.
fn inside(contents: &Contents, folder: &str) -> BTreeMap<String, String> {
    let paths = contents.names.iter().filter_map(|path| {
        let below = path.strip_prefix(folder)?.strip_prefix('/')?;
        let module = plain(below).ends_with(".ko").then(|| name(below))??;
        Some((module, below.to_owned()))
    });
    paths.collect()
}

/// A module as mkinitramfs puts it in: unpacked, so that no modprobe has to know how.
fn unpacked(path: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut reader: Box<dyn Read> = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("zst") => {
            Box::new(zstd::Decoder::with_buffer(bytes).map_err(|error| error.to_string())?)
        }
        Some("xz") => Box::new(liblzma::bufread::XzDecoder::new(bytes)),
        Some("gz") => Box::new(flate2::bufread::GzDecoder::new(bytes)),
        _ => return Ok(bytes.to_vec()),
    };
    let mut module = Vec::new();
    let read = reader.by_ref().take(MODULE + 1).read_to_end(&mut module);
    read.map_err(|error| error.to_string())?;
    if module.len() as u64 > MODULE {
        return Err(format!("it unpacks to more than {} MiB", MODULE >> 20));
    }
    Ok(module)
}
