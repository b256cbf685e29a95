use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};

use super::manifest::Manifest;
use super::stored::{LARGEST_FILE, LARGEST_MANIFEST, Layout, MEDIUM, MediumFiles};
use crate::boot_menu::INITRAMFS_FILE;
use crate::medium::MANIFEST;

/// Of a folder that [`crate::netboot`] has written.
const SERVED: Layout = Layout {
    what: "netboot",
    manifest: MANIFEST,
    initramfs: INITRAMFS_FILE,
};

/// The files of a folder that its manifest lists, and that itself: others may be served from there, too. None where it
/// has no manifest, or one of something else.
pub(super) fn files(folder: &Path) -> Option<MediumFiles<'_>> {
    let manifest = read(&folder.join(MANIFEST), LARGEST_MANIFEST)?;
    let manifest = Manifest::parse(&manifest, MANIFEST)?;
    // A stick that is mounted there has another.
    let layouts = [SERVED, MEDIUM];
    let layout = layouts
        .into_iter()
        .find(|layout| manifest.files.contains_key(layout.initramfs))?;
    let stays_inside = |path: &&String| {
        let mut parts = Path::new(path).components();
        parts.all(|part| matches!(part, Component::Normal(_)))
    };
    let mut paths: Vec<String> = manifest.files.into_keys().collect();
    paths.push(MANIFEST.to_owned());
    let lengths = paths.iter().filter(stays_inside).map(|path| {
        // What is not there cannot be read later, which is said then.
        let length = fs::metadata(folder.join(path)).map_or(0, |found| found.len());
        (path.clone(), length)
    });
    let files: Vec<(String, u64)> = lengths.collect();
    let listed = files.clone();
    Some(MediumFiles {
        layout,
        files,
        read: Box::new(move |number| read(&folder.join(&listed.get(number)?.0), LARGEST_FILE)),
    })
}

fn read(path: &Path, largest: u64) -> Option<Vec<u8>> {
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let mut file = is_file.then(|| File::open(path).ok()).flatten()?;
    let mut bytes = Vec::new();
    let read = file.by_ref().take(largest + 1).read_to_end(&mut bytes);
    (read.is_ok() && bytes.len() as u64 <= largest).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_a_file_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let line = |path: &str| serde_json::json!({"path": path, "bytes": 1, "reason": "x"});
        let lines = ["a", "../b", "c/../../d", "gone", INITRAMFS_FILE].map(line);
        let manifest = serde_json::json!({"files": lines}).to_string();
        fs::create_dir(folder.path().join("licenses")).unwrap();
        fs::write(folder.path().join(MANIFEST), &manifest).unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        fs::write(folder.path().join("not listed"), "b").unwrap();
        let found = files(folder.path()).unwrap();
        let paths: Vec<&str> = found.files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a", "gone", INITRAMFS_FILE, MANIFEST]);
        assert_eq!(found.layout.what, "netboot");
        assert_eq!((found.read)(0), Some(b"a".to_vec()));
        assert_eq!((found.read)(1), None);
        assert_eq!((found.read)(3), Some(manifest.clone().into_bytes()));
        assert!(files(&folder.path().join("licenses")).is_none());

        let of_stick = manifest.replace(INITRAMFS_FILE, MEDIUM.initramfs);
        fs::write(folder.path().join(MANIFEST), of_stick).unwrap();
        assert_eq!(files(folder.path()).unwrap().layout.what, "medium");
        let too_large = manifest + &" ".repeat(usize::try_from(LARGEST_MANIFEST).unwrap());
        fs::write(folder.path().join(MANIFEST), too_large).unwrap();
        assert!(files(folder.path()).is_none());
    }
}
