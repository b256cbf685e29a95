//! The files that a machine is read from.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use hardware::Source;
use hardware::capture::Details;

use super::Function;

/// A folder laid out like /sys. Gives its path.
pub fn folder(functions: &[Function], into: &Path) -> Result<PathBuf> {
    for (path, bytes) in super::folder(functions) {
        let path = into.join(path);
        let parent = path.parent().unwrap_or(into);
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(into.to_owned())
}

/// What `lspci -xxxx` prints, with so many bytes of each function. Gives the file's path.
pub fn text(functions: &[Function], length: usize, into: &Path) -> Result<PathBuf> {
    write(into.join("lspci.txt"), super::lspci(functions, length))
}

/// A capture of the folder. Gives the file's path.
pub fn capture(functions: &[Function], into: &Path) -> Result<PathBuf> {
    let (source, recording) = Source::folder(&folder(functions, into)?)?.record();
    let machine = hardware::read(&source)?;
    let packed = recording.pack(&Details {
        version: env!("CARGO_PKG_VERSION"),
        taken: UNIX_EPOCH,
        identifiers: false,
        machine: &machine,
        boot_stick: None,
        names: None,
        roms: None,
    })?;
    write(into.join("capture.tar.zst"), packed.bytes)
}

fn write(path: PathBuf, content: impl AsRef<[u8]>) -> Result<PathBuf> {
    fs::write(&path, content).with_context(|| path.display().to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::machine;
    use super::*;

    #[test]
    fn every_source_has_every_function_with_its_ids_and_configuration_space() {
        let functions = machine(300);
        let place = tempfile::tempdir().unwrap();
        let paths = [
            folder(&functions, &place.path().join("folder")),
            text(&functions, 4096, place.path()),
            capture(&functions, place.path()),
        ];
        for path in paths {
            let path = path.unwrap();
            let read = hardware::load(&path, None).unwrap().machine;
            assert_eq!(read.functions.len(), functions.len());
            for (there, made) in read.functions.iter().zip(&functions) {
                assert_eq!((there.address, there.id), (made.address, made.kind.id));
                let config = there.config.known().unwrap();
                // A capture has no serial numbers in it.
                assert_eq!(config.bytes()[..0x100], made.config[..0x100]);
                assert_eq!(config.bytes().len(), 4096);
            }
        }
    }
}
