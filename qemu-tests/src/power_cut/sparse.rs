use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use super::recording::at;

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;

/// Copies what the file `from` holds to `offset` of `to`; its holes are left out, so `to` has to have zeros there.
/// Gives its length.
pub(super) fn copy(from: &Path, to: &File, offset: u64) -> io::Result<u64> {
    let mut file = File::open(from).map_err(|error| at(from, &error))?;
    let length = file.metadata()?.len();
    let mut piece = vec![0; PIECE];
    let mut place = 0;
    while let Some(data) = seek(&file, place, Whence::SeekData)? {
        let end = seek(&file, data, Whence::SeekHole)?.unwrap_or(length);
        file.seek(SeekFrom::Start(data))?;
        place = data;
        while place < end {
            let wanted = usize::try_from(end - place).unwrap_or(PIECE).min(PIECE);
            file.read_exact(&mut piece[..wanted])
                .map_err(|error| at(from, &error))?;
            to.write_all_at(&piece[..wanted], offset + place)?;
            place += wanted as u64;
        }
    }
    Ok(length)
}

/// Where data or a hole begins, from `place` on; none behind the last of them.
fn seek(file: &File, place: u64, whence: Whence) -> io::Result<Option<u64>> {
    let place = i64::try_from(place).map_err(io::Error::other)?;
    match lseek(file, place, whence) {
        Ok(found) => u64::try_from(found).map(Some).map_err(io::Error::other),
        Err(Errno::ENXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_copied_to_its_place_and_holes_stay_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(&[1; 5000], 3 << 20).unwrap();
        file.write_all_at(&[2; 7], (64 << 20) - 7).unwrap();
        let copied = File::create(&to).unwrap();
        assert_eq!(copy(&from, &copied, 4096).unwrap(), 64 << 20);
        let bytes = std::fs::read(&to).unwrap();
        assert_eq!(bytes[4096..], std::fs::read(&from).unwrap());
        let allocated = std::os::unix::fs::MetadataExt::blocks(&copied.metadata().unwrap()) * 512;
        assert!(allocated < 1 << 20, "{allocated}");
    }
}
