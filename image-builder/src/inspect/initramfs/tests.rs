use std::io::Write;

use proptest::prelude::*;

use archives::{InitramfsTool, Unpacking};

use super::*;
use crate::image::{Image, Level, Node, write_archive};
use crate::inspect::{Content, recognize};
use crate::modules::testing::module as elf_module;

fn image(files: &[(&str, &[u8])]) -> Image {
    let mut image = Image::default();
    for (path, content) in files {
        image.add_program(path, content.to_vec(), "test").unwrap();
    }
    image
}

/// An archive without packing.
fn plain(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, entry) in image(files).iter() {
        let (mode, content): (u32, &[u8]) = match &entry.node {
            Node::File { content, mode } => (0o100_000 | mode, content),
            _ => (0o040_755, &[]),
        };
        let builder = cpio::newc::Builder::new(path).mode(mode);
        let mut writer = builder.write(&mut bytes, u32::try_from(content.len()).unwrap());
        writer.write_all(content).unwrap();
        writer.finish().unwrap();
    }
    cpio::newc::trailer(&mut bytes).unwrap();
    bytes
}

/// An archive packed with zstd.
fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_archive(&image(files), Level::Fast, 0, &mut bytes, &|_| {}).unwrap();
    bytes
}

fn parsed(bytes: &[u8]) -> Initramfs {
    let initramfs = Initramfs::parse(bytes, &mut Budget::default()).unwrap();
    assert_eq!(initramfs.broken, None);
    initramfs
}

fn sample() -> Vec<u8> {
    let early = plain(&[("kernel/x86/microcode/GenuineIntel.bin", &[7; 3000])]);
    let module = elf_module(&["license=GPL v2", "depends="]);
    let xz = liblzma::encode_all(module.as_slice(), 1).unwrap();
    let main = packed(&[
        ("conf/initramfs.conf", b"MODULES=most\n"),
        ("usr/lib/modules/6.1.0-test/kernel/fs/ext4/ext4.ko", &module),
        (
            "usr/lib/modules/6.1.0-test/kernel/drivers/nvme/host/nvme-core.ko.xz",
            &xz,
        ),
        ("usr/bin/busybox", b"\x7fELF"),
    ]);
    [early, vec![0; 512], main].concat()
}

#[test]
fn an_image_of_every_level_holds_the_same_files() {
    let module = "lib/modules/6.1.0-test/kernel/fs/ext4/ext4.ko";
    let mut image = Image::default();
    image.add_program("init", vec![0xe8; 5000], "test").unwrap();
    let content = elf_module(&["license=GPL v2", "depends="]);
    image.add_file(module, content, "test").unwrap();
    let of_level = |level| {
        let mut bytes = Vec::new();
        write_archive(&image, level, 0, &mut bytes, &|_| {}).unwrap();
        let mut files = BTreeMap::new();
        let mut take = |entry: Entry, bytes| {
            if entry.is_file() {
                files.insert(entry.name, bytes);
            }
        };
        walk(&bytes, &mut Unpacking::default(), &is_read, &mut take);
        (parsed(&bytes).segments.len(), files)
    };
    let (segments, plain) = of_level(Level::None);
    assert_eq!((segments, plain.len()), (1, 2));
    assert!(of_level(Level::Fast) == (1, plain.clone()));
    assert!(of_level(Level::Small) == (2, plain));
}

#[test]
fn segments_are_told_apart_with_their_places_and_lengths() {
    let bytes = sample();
    let initramfs = parsed(&bytes);
    let [early, main] = initramfs.segments.as_slice() else {
        panic!("{:?}", initramfs.segments);
    };
    assert_eq!(
        (early.offset, early.compression, early.entries),
        (0, Compression::None, 4)
    );
    assert_eq!(main.compression, Compression::Zstd);
    assert_eq!(main.offset + main.packed, bytes.len());
    assert!(main.unpacked > main.packed as u64);
    let paths: Vec<_> = initramfs
        .early
        .iter()
        .map(|file| (file.path.as_str(), file.bytes))
        .collect();
    assert_eq!(paths, [("kernel/x86/microcode/GenuineIntel.bin", 3000)]);
}

#[test]
fn modules_are_named_with_their_kernel_and_licence_packed_or_not() {
    let initramfs = parsed(&sample());
    let maker = initramfs.maker.unwrap();
    assert_eq!(maker, Maker::Tool(InitramfsTool::InitramfsTools));
    let json = serde_json::to_value([maker, Maker::Preflight]).unwrap();
    assert_eq!(json, serde_json::json!(["initramfs-tools", "preflight"]));
    let modules: Vec<_> = initramfs
        .modules
        .iter()
        .map(|module| {
            (
                module.name.as_str(),
                module.path.as_str(),
                module.license.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        modules,
        [
            ("ext4", "kernel/fs/ext4/ext4.ko", Some("GPL v2")),
            (
                "nvme_core",
                "kernel/drivers/nvme/host/nvme-core.ko.xz",
                Some("GPL v2")
            ),
        ]
    );
    assert_eq!(initramfs.releases.len(), 1);
    assert_eq!(initramfs.releases[0].release, "6.1.0-test");
    assert!(initramfs.programs.contains("busybox"));
}

#[test]
fn every_packing_that_is_unpacked_here_gives_the_same_entries() {
    let archive = plain(&[("conf/initramfs.conf", b"a"), ("bin/sh", b"b")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&archive).unwrap();
    let block = lz4_flex::block::compress(&archive);
    let length = u32::try_from(block.len()).unwrap().to_le_bytes();
    let lz4 = [&b"\x02\x21\x4c\x18"[..], &length, &block].concat();
    let packings = [
        (Compression::Gzip, gzip.finish().unwrap()),
        (
            Compression::Xz,
            liblzma::encode_all(archive.as_slice(), 1).unwrap(),
        ),
        (
            Compression::Zstd,
            zstd::encode_all(archive.as_slice(), 1).unwrap(),
        ),
        (Compression::Lz4, lz4),
        (Compression::None, archive),
    ];
    for (compression, bytes) in packings {
        let initramfs = parsed(&bytes);
        assert_eq!(initramfs.segments[0].compression, compression);
        assert_eq!(initramfs.segments[0].entries, 4, "{compression:?}");
        assert!(initramfs.programs.contains("sh"), "{compression:?}");
    }
}

#[test]
fn of_two_files_with_one_path_the_later_one_counts() {
    let bytes = [
        packed(&[("etc/a", &[1; 100])]),
        packed(&[("etc/a", &[1; 7])]),
    ]
    .concat();
    let total: u64 = parsed(&bytes).sizes.iter().map(|total| total.bytes).sum();
    assert_eq!(total, 7);
}

#[test]
fn a_damaged_image_shows_what_stands_before_the_damage() {
    let mut bytes = sample();
    let middle = bytes.len() - 40;
    bytes.truncate(middle);
    let initramfs = Initramfs::parse(&bytes, &mut Budget::default()).unwrap();
    assert!(initramfs.broken.is_some());
    assert_eq!(initramfs.early.len(), 1);
    assert_eq!(initramfs.segments.len(), 2);
}

#[test]
fn a_packing_that_is_not_unpacked_is_named() {
    let bytes = [plain(&[("etc/a", b"a")]), b"BZh91AY".to_vec()].concat();
    let why = Initramfs::parse(&bytes, &mut Budget::default())
        .unwrap()
        .broken
        .unwrap();
    assert!(why.contains("bzip2"), "{why}");
}

#[test]
fn a_packed_text_is_no_initramfs() {
    let text = zstd::encode_all(&b"only words"[..], 1).unwrap();
    assert!(recognize(&text).is_none());
    assert!(recognize(b"").is_none());
    assert!(recognize(&[0; 5000]).is_none());
}

#[test]
fn modules_unpack_to_no_more_than_all_of_them_may_and_damaged_ones_count() {
    const MIB: usize = 1 << 20;
    let mut module = elf_module(&["license=GPL v2", "depends="]);
    module.resize(MIB, 0);
    let whole = liblzma::encode_all(module.as_slice(), 1).unwrap();
    // All bytes of the module are there, and the end of the stream is not.
    let damaged = &whole[..whole.len() - 12];
    let paths = ["a", "b", "c"].map(|name| format!("usr/lib/modules/6.1/kernel/{name}.ko.xz"));
    let licenses = |first: &[u8], budget: u64| {
        let [a, b, c] = &paths;
        let bytes = packed(&[(a, first), (b, &whole), (c, &whole)]);
        let initramfs = Initramfs::parse(&bytes, &mut Budget::of(1 << 30, budget)).unwrap();
        let licenses = initramfs
            .modules
            .iter()
            .map(|module| module.license.is_some());
        licenses.collect::<Vec<_>>()
    };
    assert_eq!(licenses(&whole, 4 << 20), [true, true, true]);
    assert_eq!(licenses(&whole, 5 << 19), [true, true, false]);
    assert_eq!(licenses(damaged, 4 << 20), [false, true, true]);
    assert_eq!(licenses(damaged, 5 << 19), [false, true, false]);
}

#[test]
fn what_does_not_agree_with_the_manifest_is_told() {
    let manifest = br#"{"schema": "preflight.manifest/1", "modules": [], "files": [
        {"path": "/init", "bytes": 4, "reason": "preflight"},
        {"path": "/etc/a", "bytes": 1, "sha256": "00", "reason": "skeleton"},
        {"path": "/bin/gone", "bytes": 1, "reason": "busybox"}]}"#;
    let bytes = packed(&[
        ("init", b"12345"),
        ("etc/a", b"1"),
        ("bin/added", b"1"),
        (MANIFEST, manifest),
    ]);
    let initramfs = parsed(&bytes);
    assert_eq!(initramfs.maker, Some(Maker::Preflight));
    assert_eq!(
        initramfs.differences,
        [
            "/bin/gone is in the manifest and not in the image",
            "/etc/a has another content than the manifest says",
            "/init has 5 bytes; the manifest says 4",
            "/bin/added is in the image and not in the manifest",
        ]
    );
}

#[test]
fn a_file_that_says_it_is_endless_is_not_taken_at_its_word() {
    let mut archive = plain(&[("etc/a", b"a")]);
    let place = archive
        .windows(5)
        .position(|bytes| bytes == b"etc/a")
        .unwrap()
        - 110;
    archive[place + 54..place + 62].copy_from_slice(b"ffffffff");
    let why = Initramfs::parse(&archive, &mut Budget::default())
        .unwrap()
        .broken
        .unwrap();
    assert!(why.contains("ends in the middle"), "{why}");
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..600), kind in 0usize..8) {
        const STARTS: [&[u8]; 8] = [
            b"070701", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0",
            b"\x5d\0\0", b"\x02\x21\x4c\x18", b"\x04\x22\x4d\x18", b"BZh",
        ];
        recognize(&[STARTS[kind], &bytes].concat());
    }

    #[test]
    fn a_damaged_byte_does_not_panic(place in 0usize..6000, byte: u8) {
        let mut bytes = sample();
        let place = place % bytes.len();
        bytes[place] = byte;
        if let Some(Content::Initramfs(initramfs)) = recognize(&bytes) {
            let packed: usize = initramfs.segments.iter().map(|segment| segment.packed).sum();
            prop_assert!(packed <= bytes.len());
        }
    }
}
