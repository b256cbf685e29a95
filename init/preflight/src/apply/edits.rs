//! The files of a plan, written into a root on overlays.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::fchown;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use apply::EntryChange;
use plan::{Body, Change, Content, Plan, Tree, sha256};
use proxmox::guests::{DATABASE, PveChange, edit_database};
use storage::{Kind, Root};

use super::database::{BESIDE, Today, entry_of, now, today};

/// As the plan's own readers have it: an option ROM is 16 MiB at most.
const LARGEST: u64 = 16 << 20;
/// Files of the rehearsal's own, which are renamed at once.
const NEW: &str = ".preflight-new";

/// What was done to the database of the guests.
#[derive(Debug, Default)]
pub struct Guests {
    /// Where it has a log, it with that log: what has to stand there before the log goes.
    pub merged: Option<Vec<u8>>,
    /// What changed in it.
    pub entries: Vec<EntryChange>,
}

/// Writes all files of the plan but those for the stick. Each must be as the plan found it.
pub fn write_all(plan: &Plan, root: &Root) -> Result<Guests> {
    for change in plan
        .changes
        .iter()
        .filter(|change| change.tree == Tree::Root)
    {
        write(change, root).with_context(|| change.path.clone())?;
    }
    let guests: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|change| change.tree == Tree::Pve)
        .collect();
    if guests.is_empty() {
        return Ok(Guests::default());
    }
    write_guests(&guests, root).context(DATABASE)
}

/// The bytes that a change wants.
pub fn bytes(content: &Content) -> Result<Vec<u8>> {
    if let Body::File(path) = &content.body {
        let length = fs::metadata(path).with_context(|| path.clone())?.len();
        ensure!(
            length <= LARGEST,
            "{path} has grown to {length} bytes since it was planned; plan again"
        );
        let bytes = fs::read(path).with_context(|| path.clone())?;
        ensure!(
            sha256(&bytes) == content.sha256,
            "{path} has changed since it was planned; plan again"
        );
        return Ok(bytes);
    }
    content
        .bytes()
        .context("the plan does not say what it is to hold")
}

fn write(change: &Change, root: &Root) -> Result<()> {
    let path = &change.path;
    let there = match root.kind_of_entry(path) {
        Ok(Kind::File) => Some(root.read(path, LARGEST)?),
        Ok(kind) => bail!(
            "it is {kind}, and only a plain file is changed; change by hand what it stands for"
        ),
        Err(error) if error.is_missing() => None,
        Err(error) => return Err(error.into()),
    };
    let found = there.as_deref().map(sha256);
    if found != change.before.as_ref().map(|before| before.sha256.clone()) {
        bail!("it has changed since it was planned; plan again");
    }
    put(root, path, &bytes(&change.after)?, change.mode)
}

/// Writes a file. One that is there keeps its owner and permissions.
pub fn put(root: &Root, path: &str, bytes: &[u8], mode: Option<u32>) -> Result<()> {
    make_folders(root, path)?;
    let status = match root.status(path) {
        Ok(status) => Some(status),
        Err(error) if error.is_missing() => None,
        Err(error) => return Err(error.into()),
    };
    let new = format!("{path}{NEW}");
    let mut file = root.create(&new, 0o600)?;
    file.write_all(bytes)?;
    let mode = status
        .as_ref()
        .map_or(mode.unwrap_or(0o644), |status| status.mode);
    if let Some(status) = status {
        // FAT has no owners.
        let _ = fchown(&file, Some(status.uid), Some(status.gid));
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    drop(file);
    root.replace(&new, path)?;
    Ok(())
}

fn make_folders(root: &Root, path: &str) -> Result<()> {
    let Some(parent) = Path::new(path).parent() else {
        return Ok(());
    };
    let mut above: Vec<&Path> = parent.ancestors().collect();
    above.reverse();
    for folder in above.into_iter().filter(|folder| folder.parent().is_some()) {
        match root.kind(folder) {
            Ok(_) => {}
            Err(error) if error.is_missing() => root.make_folder(folder, 0o755)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// As pmxcfs would when it starts: the log goes into the database, and is removed with its index.
fn write_guests(changes: &[&Change], root: &Root) -> Result<Guests> {
    let Today { merged, has_log } = today(root, DATABASE)?;
    let changes = changes.iter().map(|change| {
        let before = change.before.as_ref();
        Ok(PveChange {
            path: change.path.clone(),
            before: before
                .map(|before| before.bytes().context("its old text is not known"))
                .transpose()?,
            after: Some(bytes(&change.after)?),
        })
    });
    let changes: Vec<PveChange> = changes.collect::<Result<_>>()?;
    let edited = edit_database(merged.clone(), &changes, now())?;
    put(root, DATABASE, &edited, None)?;
    for ending in BESIDE {
        match root.remove(format!("{DATABASE}{ending}")) {
            Err(error) if error.errno != nix::errno::Errno::ENOENT => return Err(error.into()),
            _ => {}
        }
    }
    Ok(Guests {
        merged: has_log.then_some(merged),
        entries: changes.iter().map(entry_of).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn change(path: &str, before: Option<&str>, after: &str, mode: Option<u32>) -> Change {
        Change {
            tree: Tree::Root,
            path: path.to_owned(),
            before: before.map(|text| Content::of(text.as_bytes())),
            after: Content::of(after.as_bytes()),
            mode,
            reasons: Vec::new(),
        }
    }

    fn root() -> (Root, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        let modules = folder.path().join("etc/modules");
        fs::write(&modules, "loop\n").unwrap();
        fs::set_permissions(&modules, fs::Permissions::from_mode(0o640)).unwrap();
        (Root::open(folder.path()).unwrap(), folder)
    }

    fn mode(folder: &tempfile::TempDir, path: &str) -> u32 {
        let status = fs::metadata(folder.path().join(path)).unwrap();
        status.permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_that_is_there_keeps_its_permissions_and_a_new_one_gets_its_own_and_its_folders() {
        let (root, folder) = root();
        write(
            &change("/etc/modules", Some("loop\n"), "loop\nvfio\n", None),
            &root,
        )
        .unwrap();
        let text = fs::read_to_string(folder.path().join("etc/modules")).unwrap();
        assert_eq!(text, "loop\nvfio\n");
        assert_eq!(mode(&folder, "etc/modules"), 0o640);
        let script = "/etc/initramfs-tools/scripts/init-top/preflight-vfio";
        write(&change(script, None, "#!/bin/sh\n", Some(0o755)), &root).unwrap();
        assert_eq!(mode(&folder, script.trim_start_matches('/')), 0o755);
        let names = fs::read_dir(folder.path().join("etc")).unwrap().count();
        assert_eq!(names, 2, "nothing else is left there");
    }

    #[test]
    fn what_is_not_as_it_was_planned_stays_as_it_is() {
        let (root, folder) = root();
        symlink("modules", folder.path().join("etc/link")).unwrap();
        for (path, before, why) in [
            ("/etc/modules", Some("other\n"), "has changed"),
            ("/etc/modules", None, "has changed"),
            ("/etc/missing", Some("loop\n"), "has changed"),
            ("/etc/link", Some("loop\n"), "a link"),
        ] {
            let error = write(&change(path, before, "new\n", None), &root).unwrap_err();
            assert!(error.to_string().contains(why), "{path}: {error}");
        }
        assert_eq!(
            fs::read(folder.path().join("etc/modules")).unwrap(),
            b"loop\n"
        );
    }

    #[test]
    fn a_copy_is_of_the_file_that_was_judged() {
        let folder = tempfile::tempdir().unwrap();
        let rom = folder.path().join("card.rom");
        fs::write(&rom, [0x55, 0xaa]).unwrap();
        let content = Content {
            sha256: sha256(&[0x55, 0xaa]),
            length: 2,
            body: Body::File(rom.display().to_string()),
        };
        assert_eq!(bytes(&content).unwrap(), [0x55, 0xaa]);
        fs::write(&rom, [0x55, 0xab]).unwrap();
        let error = bytes(&content).unwrap_err().to_string();
        assert!(
            error.contains("has changed since it was planned"),
            "{error}"
        );
    }
}
