use std::io::Write;

use proptest::prelude::*;

use super::*;

#[path = "../../../testing/initrd.rs"]
mod made;

use made::{archive_of, packed};

/// An archive of plain files.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = files
        .iter()
        .map(|(name, content)| (*name, 0o100_644, *content))
        .collect();
    archive_of(&entries)
}

fn parse(bytes: &[u8]) -> InitrdContent {
    InitrdContent::parse(bytes, &mut Unpacking::default())
}

fn main_archive() -> Vec<u8> {
    archive(&[
        ("./conf/initramfs.conf", b"MODULES=most\n"),
        ("conf/modules", b"vfio\nvfio_pci\n"),
        (
            "etc/modprobe.d/vfio.conf",
            b"options vfio-pci ids=10de:1b80\n",
        ),
        (
            "usr/lib/modules/6.8.12-2-pve/kernel/drivers/vfio/pci/vfio-pci.ko",
            b"\x7fELF",
        ),
        ("bin/busybox", b"many bytes"),
    ])
}

fn early() -> Vec<u8> {
    let mut bytes = archive(&[("kernel/x86/microcode/GenuineIntel.bin", b"microcode")]);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn microcode_and_a_packed_archive_behind_it_are_both_read() {
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Zstd,
        Compression::Xz,
        Compression::Lz4,
    ] {
        let content = parse(&[early(), packed(compression, &main_archive())].concat());
        assert_eq!(content.broken, None, "{compression:?}");
        assert_eq!(
            content.tool,
            Some(InitramfsTool::InitramfsTools),
            "{compression:?}"
        );
        assert!(content.microcode);
        assert_eq!(content.modules.iter().collect::<Vec<_>>(), ["vfio_pci"]);
        assert_eq!(
            content.files["etc/modprobe.d/vfio.conf"],
            "options vfio-pci ids=10de:1b80\n"
        );
        assert_eq!(content.files["conf/modules"], "vfio\nvfio_pci\n");
        assert!(!content.files.contains_key("bin/busybox"));
    }
}

#[test]
fn what_is_put_behind_a_packed_archive_is_read_and_its_files_hold() {
    let behind = archive(&[("etc/modprobe.d/vfio.conf", b"options vfio-pci ids=1:2\n")]);
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Zstd,
        Compression::Xz,
        Compression::Lz4,
    ] {
        let mut whole = [early(), packed(compression, &main_archive())].concat();
        whole.resize(whole.len().next_multiple_of(4) + 8, 0);
        whole.extend(&behind);
        let content = parse(&whole);
        assert_eq!(content.broken, None, "{compression:?}");
        let mut parts = vec![Compression::None, compression, Compression::None];
        parts.dedup();
        assert_eq!(content.parts, parts);
        assert_eq!(content.files["conf/modules"], "vfio\nvfio_pci\n");
        assert_eq!(
            content.files["etc/modprobe.d/vfio.conf"], "options vfio-pci ids=1:2\n",
            "{compression:?}"
        );
        whole.extend(b"rest");
        assert!(parse(&whole).broken.is_some(), "{compression:?}");
    }
}

#[test]
fn no_more_segments_are_read_than_any_initrd_has() {
    let part = packed(Compression::Gzip, &archive(&[]));
    let content = parse(&part.repeat(200));
    assert_eq!(
        content.broken.as_deref(),
        Some("it has more than 64 segments")
    );
}

#[test]
fn an_initrd_that_was_cut_off_is_broken_and_what_stands_before_is_told() {
    let whole = [early(), main_archive()].concat();
    let content = parse(&whole[..whole.len() - 200]);
    assert!(content.broken.is_some());
    assert!(content.microcode);
}

#[test]
fn nothing_and_something_else_are_broken() {
    assert!(parse(b"").broken.is_some());
    assert!(parse(&[0; 4096]).broken.is_some());
    assert!(parse(b"\x7fELF").broken.is_some());
    assert!(
        parse(&zstd::encode_all(&b"nothing"[..], 1).unwrap())
            .broken
            .is_some()
    );
}

/// Archives of one small file, then this many zeros, packed.
fn bomb(head: &[u8], zeros: usize) -> Vec<u8> {
    let mut writer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    writer.write_all(head).unwrap();
    writer.write_all(&vec![0; zeros]).unwrap();
    writer.finish().unwrap()
}

const TOO_MUCH: &str = "it and the initrds before it unpack to more than those of any host";

#[test]
fn a_file_without_end_ends_with_what_may_be_unpacked() {
    // One entry that says it is of 16 MiB, and is.
    let mut head = archive(&[("bomb", b"")]);
    head.splice(6 + 48..6 + 56, *b"01000000");
    let bomb = bomb(&head[..116], (16 << 20) + 512);
    let content = InitrdContent::parse(&bomb, &mut Unpacking::of(1 << 20));
    assert_eq!(content.broken.as_deref(), Some(TOO_MUCH));
    let content = InitrdContent::parse(&bomb, &mut Unpacking::default());
    assert_ne!(content.broken.as_deref(), Some(TOO_MUCH));
    assert_eq!(content.entries, 1);
}

#[test]
fn zeros_without_end_behind_an_archive_end_with_what_may_be_unpacked() {
    let bomb = bomb(&main_archive(), 16 << 20);
    let content = InitrdContent::parse(&bomb, &mut Unpacking::of(1 << 20));
    assert_eq!(content.broken.as_deref(), Some(TOO_MUCH));
    assert_eq!(parse(&bomb).broken, None);
}

#[test]
fn what_may_be_unpacked_is_for_all_initrds_together() {
    let padded = [main_archive(), vec![0; 8 << 10]].concat();
    let packed = packed(Compression::Zstd, &padded);
    let mut left = Unpacking::of(padded.len() as u64 * 3 / 2);
    assert_eq!(InitrdContent::parse(&packed, &mut left).broken, None);
    let second = InitrdContent::parse(&packed, &mut left);
    assert_eq!(second.broken.as_deref(), Some(TOO_MUCH));
}

#[test]
fn no_more_modules_are_told_than_any_initrd_has() {
    let names: Vec<String> = (0..200)
        .map(|number| format!("m/vfio{number}.ko"))
        .collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_eq!(parse(&archive(&files)).modules.len(), MODULES);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_broken(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..200) {
        let _ = parse(&bytes);
        let mut whole = main_archive();
        for (place, byte) in whole.iter_mut().skip(at).zip(&bytes) {
            *place = *byte;
        }
        let _ = parse(&whole);
        let _ = parse(&packed(Compression::Gzip, &whole));
    }
}
