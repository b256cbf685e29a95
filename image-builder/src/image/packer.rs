use std::io::{self, Write};
use std::thread;

use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use liblzma::write::XzEncoder;

/// How much time the compressor takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// None: for a machine that builds often and boots from its own disk.
    None,
    /// zstd on all processors, for daily builds: well under a second.
    #[default]
    Fast,
    /// xz, for releases: some forty times longer, a third smaller, and slower to unpack. Programs and modules
    /// are archives of their own. The kernel needs CONFIG_RD_XZ and CONFIG_XZ_DEC_X86, which Debian's and
    /// Proxmox's have.
    Small,
}

/// zstd's level of [`Level::Fast`]: 6 takes more than twice the time for a fourteenth less. Its window is within the
/// 128 MB that the kernel's decoder takes.
const FAST: i32 = 3;

/// liblzma's strongest preset, and its flag to try harder (LZMA_PRESET_EXTREME).
const STRONGEST: u32 = 9 | 1 << 31;

/// What an archive mostly holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// Linked programs and libraries: xz's filter for x86 makes equal calls equal bytes.
    Programs,
    /// Kernel modules: their calls are all zero until they are loaded, and that filter would make each of them
    /// another number.
    Modules,
}

/// What compresses an archive on its way to a file. Its bytes depend on what is written and on the level alone:
/// zstd cuts its input into the same jobs for any number of threads, and xz works with one.
pub(super) enum Packer<W: Write> {
    Plain(W),
    Zstd(zstd::Encoder<'static, W>),
    Xz(XzEncoder<W>),
}

impl<W: Write> Packer<W> {
    pub(super) fn new(level: Level, payload: Payload, output: W) -> io::Result<Self> {
        Ok(match level {
            Level::None => Self::Plain(output),
            Level::Fast => Self::Zstd(zstd_on_all_processors(output, FAST)?),
            Level::Small => Self::Xz(XzEncoder::new_stream(output, smallest(payload)?)),
        })
    }

    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut output) => output.flush(),
            Self::Zstd(encoder) => encoder.finish()?.flush(),
            Self::Xz(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Xz(encoder) => encoder.write(bytes),
        }
    }

    /// Nothing: the writer of entries flushes after each, and a compressor that is flushed forgets what it has seen.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A zstd compressor with a checksum. The number of its threads does not change its bytes.
pub(crate) fn zstd_on_all_processors<W: Write>(
    output: W,
    level: i32,
) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(output, level)?;
    encoder.include_checksum(true)?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    encoder.multithread(u32::try_from(processors).unwrap_or(1))?;
    Ok(encoder)
}

/// One stream over the whole archive, with the only checksum that every kernel's decoder knows
/// (Documentation/staging/xz.rst).
fn smallest(payload: Payload) -> io::Result<Stream> {
    let options = LzmaOptions::new_preset(STRONGEST)?;
    let mut filters = Filters::new();
    if payload == Payload::Programs {
        filters.x86();
    }
    filters.lzma2(&options);
    Ok(Stream::new_stream_encoder(&filters, Check::Crc32)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than one job of zstd at this level, and nothing that repeats.
    fn long() -> Vec<u8> {
        let mut state = 1_u64;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(40 << 20).collect()
    }

    #[test]
    fn zstd_gives_the_same_bytes_for_any_number_of_threads() {
        let plain = long();
        let packed = |threads| {
            let mut encoder = zstd::Encoder::new(Vec::new(), FAST).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.multithread(threads).unwrap();
            encoder.write_all(&plain).unwrap();
            encoder.finish().unwrap()
        };
        assert!(packed(1) == packed(3));
    }

    #[test]
    fn an_archive_is_no_longer_for_being_flushed_after_every_entry() {
        for level in [Level::Fast, Level::Small] {
            let packed = |flushed| {
                let mut bytes = Vec::new();
                let mut packer = Packer::new(level, Payload::Modules, &mut bytes).unwrap();
                for _ in 0..100 {
                    packer.write_all(b"an entry like the one before").unwrap();
                    if flushed {
                        packer.flush().unwrap();
                    }
                }
                packer.finish().unwrap();
                bytes
            };
            assert!(packed(true) == packed(false), "{level:?}");
        }
    }

    #[test]
    fn each_level_is_packed_in_the_way_that_it_says() {
        let beginnings: [(Level, &[u8]); 3] = [
            (Level::None, b"plain"),
            (Level::Fast, &[0x28, 0xb5, 0x2f, 0xfd]),
            (Level::Small, b"\xfd7zXZ\0\0\x01"),
        ];
        for (level, beginning) in beginnings {
            let mut bytes = Vec::new();
            let mut packer = Packer::new(level, Payload::Modules, &mut bytes).unwrap();
            packer.write_all(b"plain").unwrap();
            packer.finish().unwrap();
            assert!(bytes.starts_with(beginning), "{level:?}");
        }
    }
}
