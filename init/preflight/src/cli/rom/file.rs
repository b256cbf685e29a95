use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Bytes that are read of a file at most: four times what the largest ROM BAR can have, for flash dumps
/// with everything in them.
const LARGEST: u64 = 64 << 20;

/// Reads a ROM file or a driver.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    ensure!(
        !file.metadata().is_ok_and(|about| about.is_dir()),
        "{} is a folder; name the file in it",
        path.display()
    );
    // Files in /sys say a page or nothing; the room is a hint alone.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(LARGEST)).unwrap_or(0));
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        bytes.len() as u64 <= LARGEST,
        "{} has more than {} MiB, which no option ROM has; name the ROM's own file",
        path.display(),
        LARGEST >> 20
    );
    Ok(bytes)
}

/// Writes a whole new file or leaves what was there: a temporary file in the same folder, synced, then
/// renamed. Never writes over one of `inputs`, nor over what is no ordinary file.
pub(super) fn write(path: &Path, bytes: &[u8], inputs: &[&Path]) -> Result<()> {
    check_target(path, inputs)?;
    let folder = folder_of(path);
    ensure!(
        folder.is_dir(),
        "there is no folder {}; make it first, or name another with -o",
        folder.display()
    );
    let what = || format!("cannot write {}", path.display());
    let mut file = tempfile::Builder::new()
        .prefix(".preflight-")
        .tempfile_in(&folder)
        .with_context(|| format!("cannot make a file in {}", folder.display()))?;
    file.write_all(bytes).with_context(what)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(0o644))
        .with_context(what)?;
    file.as_file().sync_all().with_context(what)?;
    file.persist(path).with_context(what)?;
    // The new name is on the disk only when its folder is.
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync {}", folder.display()))
}

/// What to do with a driver that is taken for a ROM: both are called a card's "GOP" or "vBIOS".
pub(super) fn driver_hint(path: &Path, bytes: &[u8]) -> Option<String> {
    bytes.starts_with(b"MZ").then(|| {
        let path = path.display();
        format!(
            "{path} begins with MZ, as an EFI driver does. A guest takes a driver only inside a ROM:\n\
             preflight rom build --device VVVV:DDDD --efi {path} -o OUT.rom"
        )
    })
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn check_target(path: &Path, inputs: &[&Path]) -> Result<()> {
    let Ok(target) = fs::metadata(path) else {
        return Ok(());
    };
    if !target.is_file() {
        bail!(
            "{} is no ordinary file; name another with -o",
            path.display()
        );
    }
    for input in inputs {
        let same = fs::metadata(input)
            .is_ok_and(|input| (input.dev(), input.ino()) == (target.dev(), target.ino()));
        ensure!(
            !same,
            "{} is the input itself, which stays as it is; name another file with -o",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_readable_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.rom");
        write(&path, b"first", &[]).unwrap();
        write(&path, b"second", &[]).unwrap();
        assert_eq!(read(&path).unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_input_is_never_written_over_whatever_its_name_is() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("in.rom");
        fs::write(&input, b"precious").unwrap();
        let link = folder.path().join("link.rom");
        std::os::unix::fs::symlink(&input, &link).unwrap();
        let second = folder.path().join("second.rom");
        fs::hard_link(&input, &second).unwrap();
        for path in [&input, &link, &second] {
            let error = write(path, b"other", &[&input]).unwrap_err();
            assert!(error.to_string().contains("the input itself"), "{error}");
        }
        assert_eq!(fs::read(&input).unwrap(), b"precious");
    }

    #[test]
    fn a_device_is_never_replaced_by_a_file() {
        let error = write(Path::new("/dev/null"), b"x", &[]).unwrap_err();
        assert!(error.to_string().contains("no ordinary file"), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("/nowhere/at/all.rom"), b"x", &[]).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/at"), "{error:#}");
    }
}
