//! Writers of what initrds consist of, for the tests of several crates.

use std::io::Write;

use super::Compression;

/// An archive in the new ASCII format of entries with their modes, and its trailer.
pub fn archive_of(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, mode, content) in entries {
        let builder = cpio::newc::Builder::new(name).mode(*mode);
        let mut writer = builder.write(bytes, u32::try_from(content.len()).unwrap());
        writer.write_all(content).unwrap();
        bytes = writer.finish().unwrap();
    }
    cpio::newc::trailer(bytes).unwrap()
}

/// The bytes compressed as the kernel unpacks them.
pub fn packed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        Compression::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        Compression::Xz => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        // The legacy frame, which is the one that the kernel unpacks.
        Compression::Lz4 => {
            let block = lz4_flex::block::compress(bytes);
            let length = u32::try_from(block.len()).unwrap();
            [&b"\x02\x21\x4c\x18"[..], &length.to_le_bytes(), &block].concat()
        }
        other => panic!("no writer for {other:?}"),
    }
}
