use std::io::{self, BufRead, BufReader};

use serde::{Deserialize, Serialize};

/// How a segment of an initramfs is packed (Linux, lib/decompress.c, by its first bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// xz.
    Xz,
    /// The older format of the same.
    Lzma,
    /// LZ4, mostly in its legacy frame.
    Lz4,
    /// bzip2, which is not unpacked here.
    Bzip2,
    /// LZO, which is not unpacked here.
    Lzo,
}

const MAGIC: [(&[u8], Compression); 10] = [
    (b"070701", Compression::None),
    (b"070702", Compression::None),
    (b"\x1f\x8b", Compression::Gzip),
    (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    (b"\xfd7zXZ\0", Compression::Xz),
    (b"\x5d\0\0", Compression::Lzma),
    (b"\x02\x21\x4c\x18", Compression::Lz4),
    (b"\x04\x22\x4d\x18", Compression::Lz4),
    (b"BZh", Compression::Bzip2),
    (b"\x89LZO", Compression::Lzo),
];

/// Largest window that zstd may ask for, as a power of two: `zstd --long` and `--ultra` stay within.
const ZSTD_WINDOW: u32 = 27;
/// Memory that xz may take.
const XZ_MEMORY: u64 = 256 << 20;

impl Compression {
    /// By the first bytes; none where they are of no kind that Linux unpacks.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let found = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
        found.map(|(_, compression)| *compression)
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Lz4 => "lz4",
            Self::Bzip2 => "bzip2",
            Self::Lzo => "lzo",
        }
    }

    /// Unpacks one segment while it is read; afterwards `bytes` begins behind it. Fails where it is packed in a way
    /// that is not unpacked here.
    pub(crate) fn unpack<'a>(self, bytes: &'a mut &[u8]) -> io::Result<Box<dyn BufRead + 'a>> {
        Ok(match self {
            Self::None => Box::new(bytes),
            Self::Gzip => Box::new(BufReader::new(flate2::bufread::GzDecoder::new(bytes))),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW)?;
                Box::new(BufReader::with_capacity(128 << 10, decoder))
            }
            Self::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)?;
                let decoder = liblzma::bufread::XzDecoder::new_stream(bytes, stream);
                Box::new(BufReader::new(decoder))
            }
            Self::Lzma => {
                let stream = liblzma::stream::Stream::new_lzma_decoder(XZ_MEMORY)?;
                let decoder = liblzma::bufread::XzDecoder::new_stream(bytes, stream);
                Box::new(BufReader::new(decoder))
            }
            Self::Lz4 => {
                let segment = lz4_segment(bytes);
                Box::new(BufReader::new(lz4_flex::frame::FrameDecoder::new(segment)))
            }
            Self::Bzip2 | Self::Lzo => {
                return Err(io::Error::other(format!(
                    "it is packed with {}, which is not unpacked here",
                    self.name()
                )));
            }
        })
    }
}

/// Takes the blocks of a legacy frame of LZ4, which says nowhere where it ends: at a block without bytes (Linux,
/// lib/decompress_unlz4.c), or with the file. Of the newer frame, all.
fn lz4_segment<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    const LEGACY: u32 = 0x184c_2102;
    let whole = *bytes;
    let word = |at: usize| {
        let four = whole.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*four))
    };
    let mut end = 0;
    if word(0) == Some(LEGACY) {
        end = 4;
        while let Some(size) = word(end).filter(|size| *size != 0) {
            let block = match size {
                LEGACY => 0,
                size => usize::try_from(size).unwrap_or(usize::MAX),
            };
            end = end.saturating_add(4).saturating_add(block);
        }
    }
    let (segment, rest) = match whole.split_at_checked(end) {
        Some((segment, rest)) if end > 0 => (segment, rest),
        _ => (whole, &[][..]),
    };
    *bytes = rest;
    segment
}
