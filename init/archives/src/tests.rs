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
    fn any_damage_ends_with_a_reason_or_with_entries(
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
        let (_, walked) = names(&bytes, 1 << 20);
        let packed: usize = walked.segments.iter().map(|segment| segment.packed).sum();
        prop_assert!(packed <= bytes.len());
    }
}
