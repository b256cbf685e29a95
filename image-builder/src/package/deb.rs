use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Compression, PackageError, Stored};
use crate::io::{Context, IoError};

/// The files of a Debian package (deb(5): an ar archive that holds `data.tar`).
///
/// The unpacked tar lies in a temporary file without a name: a kernel's has 400 MB.
pub(super) struct Deb {
    path: PathBuf,
    data: File,
    files: BTreeMap<String, Place>,
}

#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    length: u64,
}

impl Deb {
    pub(super) fn open(path: &Path) -> Result<Self, PackageError> {
        let file = File::open(path).at("open", path)?;
        let not_a_deb = |source| PackageError::NotADeb {
            path: path.to_owned(),
            source,
        };
        let data = unpack_data(file).map_err(not_a_deb)?;
        let files = index(&data).map_err(not_a_deb)?;
        Ok(Self {
            path: path.to_owned(),
            data,
            files,
        })
    }

    pub(super) fn files_below(&self, folder: &str) -> Vec<String> {
        let start = format!("{}/", folder.trim_end_matches('/'));
        self.files
            .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(&start))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    pub(super) fn read(&self, file: &str) -> Result<Option<Vec<u8>>, IoError> {
        let Some(place) = self.files.get(file) else {
            return Ok(None);
        };
        let length = usize::try_from(place.length)
            .map_err(|_| io::ErrorKind::FileTooLarge.into())
            .at("read", &self.path)?;
        let mut content = vec![0; length];
        self.data
            .read_exact_at(&mut content, place.offset)
            .at("read", &self.path)?;
        Ok(Some(content))
    }

    /// None where there is no such file.
    pub(super) fn stored(&self, file: &str) -> Option<Stored<'_>> {
        let place = self.files.get(file)?;
        Some(Stored::part(&self.data, place.offset, place.length))
    }
}

fn unpack_data(file: File) -> io::Result<File> {
    let mut members = ar::Archive::new(file);
    while let Some(member) = members.next_entry() {
        let member = member?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        if name != "data.tar" && !name.starts_with("data.tar.") {
            continue;
        }
        let mut data = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
        io::copy(&mut Compression::of(&name).reader(member)?, &mut data)?;
        data.flush()?;
        return Ok(data.into_inner()?);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "there is no data.tar in it",
    ))
}

fn index(mut data: &File) -> io::Result<BTreeMap<String, Place>> {
    let end = data.seek(SeekFrom::End(0))?;
    data.seek(SeekFrom::Start(0))?;
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(data).entries_with_seek()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let place = Place {
            offset: entry.raw_file_position(),
            length: entry.size(),
        };
        if place.offset.saturating_add(place.length) > end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let path = entry.path()?;
        if let Some(name) = path.to_str() {
            files.insert(name.trim_start_matches("./").to_owned(), place);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deb(member: &str, data: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut builder = ar::Builder::new(file.reopen().unwrap());
        let version = b"2.0\n";
        let header = ar::Header::new(b"debian-binary".to_vec(), version.len() as u64);
        builder.append(&header, version.as_slice()).unwrap();
        let header = ar::Header::new(member.as_bytes().to_vec(), data.len() as u64);
        builder.append(&header, data).unwrap();
        file
    }

    fn data_tar() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in [("./boot/vmlinuz-1", "kernel"), ("./lib/modules/1/a", "aa")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_are_read_whatever_the_compression() {
        let tar = data_tar();
        let members = [
            ("data.tar", tar.clone()),
            (
                "data.tar.xz",
                liblzma::encode_all(tar.as_slice(), 1).unwrap(),
            ),
            ("data.tar.zst", zstd::encode_all(tar.as_slice(), 1).unwrap()),
        ];
        for (member, data) in members {
            let file = deb(member, &data);
            let deb = Deb::open(file.path()).unwrap();
            assert_eq!(deb.files_below("lib"), ["lib/modules/1/a"], "{member}");
            assert_eq!(deb.read("boot/vmlinuz-1").unwrap().unwrap(), b"kernel");
            assert!(deb.read("boot/other").unwrap().is_none());
        }
    }

    #[test]
    fn a_cut_or_foreign_file_is_refused() {
        let whole = data_tar();
        let cut = deb("data.tar", whole.get(..515).unwrap());
        assert!(Deb::open(cut.path()).is_err());
        let foreign = deb("control.tar", &whole);
        assert!(Deb::open(foreign.path()).is_err());
    }
}
