//! SHA-256 of bytes, files and folders, in lower-case hex.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Of a file. Fails with the path.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    let at =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = fs::File::open(path).map_err(at)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block).map_err(at)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&block[..length]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of the names and contents of all files below a folder. Fails with the path.
pub(crate) fn of_folder(folder: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    add(folder, folder, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

fn add(base: &Path, path: &Path, hasher: &mut Sha256) -> io::Result<()> {
    if !path.is_dir() {
        let name = path.strip_prefix(base).unwrap_or(path);
        hasher.update(sha256(name.as_os_str().as_encoded_bytes()));
        hasher.update(sha256_of_file(path)?);
        return Ok(());
    }
    let at =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut below = fs::read_dir(path)
        .map_err(at)?
        .map(|entry| Ok(entry.map_err(at)?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    below.sort();
    below.iter().try_for_each(|path| add(base, path, hasher))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("below")).unwrap();
        fs::write(at("below/one"), "1").unwrap();
        let digest = || of_folder(folder.path()).unwrap();
        let first = digest();
        assert_eq!(digest(), first);
        fs::write(at("below/one"), "2").unwrap();
        let changed = digest();
        assert_ne!(changed, first);
        fs::rename(at("below/one"), at("below/two")).unwrap();
        assert_ne!(digest(), changed);
        assert!(of_folder(&at("none")).is_err());
    }
}
