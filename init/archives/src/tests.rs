use std::io::Write;

use proptest::prelude::*;

use super::*;

#[path = "../../testing/initrd.rs"]
mod made;

use made::{archive_of, packed};

const FILE: u32 = 0o100_644;
const PACKED: [Compression; 4] = [
    Compression::Gzip,
    Compression::Zstd,
    Compression::Xz,
    Compression::Lz4,
];

fn names(bytes: &[u8], left: u64) -> (Vec<String>, Walked) {
    let mut names = Vec::new();
    let walked = walk(
        bytes,
        &mut Unpacking::of(left),
        &|_| true,
        &mut |entry, bytes| {
            assert!(bytes.len() <= entry.size as usize);
            names.push(entry.name);
        },
    );
    (names, walked)
}

#[test]
fn a_tool_is_known_by_its_files_in_a_merged_usr_and_beside_it() {
    let known = [
        ("conf/initramfs.conf", Some(InitramfsTool::InitramfsTools)),
        ("usr/lib/dracut/dracut-util", Some(InitramfsTool::Dracut)),
        ("lib/dracut/dracut-util", Some(InitramfsTool::Dracut)),
        ("buildconfig", Some(InitramfsTool::Mkinitcpio)),
        ("usr/buildconfig", None),
        ("etc/conf/initramfs.conf", None),
    ];
    for (path, tool) in known {
        assert_eq!(InitramfsTool::of(path), tool, "{path}");
    }
}

#[test]
fn segments_lie_behind_one_another_and_each_packing_gives_the_same_entries() {
    let early = archive_of(&[("kernel/x86/microcode/GenuineIntel.bin", FILE, &[7; 3000])]);
    let main = archive_of(&[("./init", FILE, b"program"), ("/etc/a", FILE, &[1; 9])]);
    for compression in PACKED {
        let packed = packed(compression, &main);
        let bytes = [early.clone(), vec![0; 512], packed.clone()].concat();
        let (names, walked) = names(&bytes, 1 << 20);
        assert_eq!(walked.broken, None, "{compression:?}");
        assert_eq!(
            names,
            ["kernel/x86/microcode/GenuineIntel.bin", "init", "etc/a"]
        );
        let [first, second] = walked.segments.as_slice() else {
            panic!("{walked:?}");
        };
        assert_eq!(
            (first.offset, first.compression, first.entries),
            (0, Compression::None, 1)
        );
        assert_eq!((second.compression, second.entries), (compression, 2));
        assert_eq!(
            (second.offset, second.packed),
            (early.len() + 512, packed.len())
        );
        assert_eq!(second.unpacked, main.len() as u64);
    }
}

/// One of several names of the file with this inode.
fn linked(name: &str, inode: u32, content: &[u8]) -> Vec<u8> {
    let builder = cpio::newc::Builder::new(name)
        .mode(FILE)
        .ino(inode)
        .nlink(3);
    let mut writer = builder.write(Vec::new(), u32::try_from(content.len()).unwrap());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

#[test]
fn every_name_of_a_file_with_several_has_the_content_that_stands_behind_the_last() {
    let bytes = [
        linked("a", 7, b""),
        linked("other", 8, b""),
        linked("b", 7, b""),
        linked("c", 7, b"content"),
        archive_of(&[]),
        // The same number in the next archive is another file.
        linked("d", 8, b"new"),
        archive_of(&[]),
    ];
    let bytes = bytes.concat();
    let mut found = Vec::new();
    // All of it, and the content once more for the one further name that is wanted.
    let mut left = Unpacking::of(bytes.len() as u64 + 7);
    let walked = walk(
        &bytes,
        &mut left,
        &|entry| entry.name != "b",
        &mut |entry, bytes| found.push((entry.name, entry.size, String::from_utf8(bytes).unwrap())),
    );
    assert_eq!(walked.broken, None);
    let of = |name: &str, size, content: &str| (name.to_owned(), size, content.to_owned());
    let expected = [
        of("a", 7, "content"),
        of("b", 7, ""),
        of("c", 7, "content"),
        of("other", 0, ""),
        of("d", 3, "new"),
    ];
    assert_eq!(found, expected);
    assert_eq!(walked.segments[0].unpacked, bytes.len() as u64);
}

#[test]
fn a_further_copy_of_a_file_counts_among_all_that_is_unpacked() {
    let linked = [
        linked("a", 7, b""),
        linked("b", 7, &[1; 400]),
        archive_of(&[]),
    ];
    let bytes = linked.concat();
    assert_eq!(names(&bytes, bytes.len() as u64 + 400).1.broken, None);
    assert!(names(&bytes, bytes.len() as u64 + 399).1.broken.is_some());
}

#[test]
fn an_archive_with_nothing_but_its_end_is_one() {
    let (names, walked) = names(&archive_of(&[]), 1 << 20);
    assert_eq!((names.len(), walked.broken), (0, None));
}

#[test]
fn what_may_be_unpacked_counts_for_heads_too() {
    let entries: Vec<(&str, u32, &[u8])> = vec![("a", FILE, b""); 1000];
    let bytes = archive_of(&entries);
    assert_eq!(names(&bytes, bytes.len() as u64).1.broken, None);
    assert!(names(&bytes, bytes.len() as u64 / 2).1.broken.is_some());
}

proptest! {
    #[test]
    fn damage_anywhere_is_read_within_what_there_is(
        damage in proptest::collection::vec((0_usize..2000, any::<u8>()), 0..8),
        kind in 0_usize..5,
        length in 0_usize..3000,
    ) {
        let archive = archive_of(&[("a", FILE, &[3; 400]), ("b/c", FILE, &[4; 700])]);
        let compression = PACKED.get(kind).copied().unwrap_or(Compression::None);
        let mut bytes = packed(compression, &archive);
        for (at, byte) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(length);
        let (names, walked) = names(&bytes, 1 << 20);
        prop_assert!(walked.broken.is_some() || !walked.segments.is_empty());
        let entries: usize = walked.segments.iter().map(|segment| segment.entries).sum();
        prop_assert!(names.len() <= entries);
        let packed: usize = walked.segments.iter().map(|segment| segment.packed).sum();
        prop_assert!(packed <= bytes.len());
    }
}
