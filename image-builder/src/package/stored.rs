use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file of a tree as it is stored, to be read in parts.
pub(crate) struct Stored<'a> {
    file: Holder<'a>,
    offset: u64,
    length: u64,
}

enum Holder<'a> {
    Own(File),
    Of(&'a File),
}

impl Stored<'static> {
    pub(crate) fn whole(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            file: Holder::Own(file),
            offset: 0,
            length,
        })
    }
}

impl<'a> Stored<'a> {
    pub(super) fn part(file: &'a File, offset: u64, length: u64) -> Self {
        Self {
            file: Holder::Of(file),
            offset,
            length,
        }
    }

    /// So many bytes from an offset on; an error where the file has not so many.
    pub(crate) fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let inside = offset
            .checked_add(length)
            .is_some_and(|end| end <= self.length);
        let (Ok(room), true) = (usize::try_from(length), inside) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let mut bytes = vec![0; room];
        let file = match &self.file {
            Holder::Own(file) => file,
            Holder::Of(file) => file,
        };
        file.read_exact_at(&mut bytes, self.offset + offset)?;
        Ok(bytes)
    }
}
