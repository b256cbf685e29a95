use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;

/// More than any file of a kernel package has; a damaged one must not fill the memory.
const LIMIT: u64 = 1 << 30;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
    /// `.gz`
    Gzip,
}

impl Compression {
    /// What the end of the file's name says.
    pub fn of(name: &str) -> Self {
        match name.rsplit_once('.') {
            Some((_, "xz")) => Self::Xz,
            Some((_, "zst")) => Self::Zstd,
            Some((_, "gz")) => Self::Gzip,
            _ => Self::None,
        }
    }

    /// A reader of the plain bytes.
    pub fn reader<'a>(self, stored: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::None => Box::new(stored),
            Self::Xz => Box::new(XzDecoder::new_parallel(stored)),
            Self::Zstd => Box::new(zstd::Decoder::new(stored)?),
            Self::Gzip => Box::new(MultiGzDecoder::new(stored)),
        })
    }

    /// The plain bytes.
    pub fn decompress(self, stored: Vec<u8>) -> io::Result<Vec<u8>> {
        if self == Self::None {
            return Ok(stored);
        }
        let mut plain = Vec::new();
        let reader = self.small_reader(&stored)?;
        reader.take(LIMIT).read_to_end(&mut plain)?;
        Ok(plain)
    }

    /// A reader of the plain bytes of a module: it is some kilobytes, and threads would cost more than they save.
    pub fn small_reader(self, stored: &[u8]) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Xz => Ok(Box::new(XzDecoder::new_multi_decoder(stored))),
            other => other.reader(stored),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_compression_gives_the_plain_bytes_back() {
        let plain = b"module ".repeat(1000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&plain).unwrap();
        let stored = [
            ("a.ko", plain.clone()),
            ("a.ko.gz", gzip.finish().unwrap()),
            ("a.ko.zst", zstd::encode_all(plain.as_slice(), 1).unwrap()),
            ("a.ko.xz", liblzma::encode_all(plain.as_slice(), 1).unwrap()),
        ];
        for (name, stored) in stored {
            assert_eq!(
                Compression::of(name).decompress(stored).unwrap(),
                plain,
                "{name}"
            );
        }
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        for name in ["a.gz", "a.zst", "a.xz"] {
            let result = Compression::of(name).decompress(b"no such format".to_vec());
            assert!(result.is_err(), "{name}");
        }
    }
}
