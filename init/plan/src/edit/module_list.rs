//! Lists of modules, one a line: /etc/modules, modules-load.d and /etc/initramfs-tools/modules.

use proxmox::settings::parse_module_list;

use super::source::{plain, same};
use super::{EditError, Source};

/// Sees to it that the modules are listed in this order, those of `rivals` behind them: a rival is a driver
/// that would take the device, and modules are loaded in the order of the list. Lines that are there keep their
/// order, and one that comes too late is moved as it is.
///
/// # Errors
/// What [`EditError`] says of all files.
pub fn add(file: &[u8], modules: &[&str], rivals: &[&str]) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    for module in modules {
        plain(module)?;
    }
    let first_rival =
        |source: &Source| line_of(source, |name| rivals.iter().any(|rival| same(rival, name)));
    for module in modules {
        let is_it = |name: &str| same(name, module);
        let mut line = (*module).to_owned();
        match (line_of(&source, is_it), first_rival(&source)) {
            (Some((at, text)), Some((rival, _))) if rival < at => {
                line = text;
                source.remove_line(at);
            }
            (Some(_), _) => continue,
            (None, _) => {}
        }
        match first_rival(&source) {
            Some((at, _)) => source.insert_line(at, &line),
            None => source.append_line(&line),
        }
    }
    Ok(source.print())
}

/// Takes modules out of the list; everything else stays.
///
/// # Errors
/// What [`EditError`] says of all files.
pub fn remove(file: &[u8], modules: &[&str]) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    let is_one = |name: &str| modules.iter().any(|module| same(module, name));
    while let Some((at, _)) = line_of(&source, is_one) {
        source.remove_line(at);
    }
    Ok(source.print())
}

/// The first line whose module is meant: where it begins, and its text.
fn line_of(source: &Source, is_meant: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    source.lines().find_map(|line| {
        let parsed = parse_module_list(line.text);
        let (_, name, _) = parsed.first()?;
        is_meant(name).then(|| (line.start, line.text.to_owned()))
    })
}
