use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where the first super block lies, bytes (`BTRFS_SUPER_INFO_OFFSET`).
const OFFSET: u64 = 64 << 10;
const LENGTH: usize = 4096;
/// Field `magic`, and `num_devices`, of `struct btrfs_super_block` (`include/uapi/linux/btrfs_tree.h`).
const MAGIC: usize = 0x40;
const NUM_DEVICES: usize = 0x88;

/// How many devices the btrfs on this one has when it is whole. `None` when that cannot be read.
pub(crate) fn device_count(node: &Path) -> Option<u64> {
    let mut block = [0; LENGTH];
    File::open(node)
        .ok()?
        .read_exact_at(&mut block, OFFSET)
        .ok()?;
    parse(&block)
}

fn parse(block: &[u8]) -> Option<u64> {
    if block.get(MAGIC..MAGIC + 8)? != b"_BHRfS_M" {
        return None;
    }
    let bytes = block.get(NUM_DEVICES..NUM_DEVICES + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Options to mount a btrfs of these members with: no other device is looked at.
pub(crate) fn options(members: &[&Path], degraded: bool) -> String {
    let mut words: Vec<String> = members
        .iter()
        .map(|path| format!("device={}", path.display()))
        .collect();
    if degraded {
        words.push("degraded".to_owned());
    }
    words.join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_of_devices_stands_in_the_super_block() {
        let mut block = vec![0; LENGTH];
        assert_eq!(parse(&block), None);
        block[MAGIC..MAGIC + 8].copy_from_slice(b"_BHRfS_M");
        block[NUM_DEVICES] = 2;
        assert_eq!(parse(&block), Some(2));
    }

    #[test]
    fn every_member_is_named_to_the_kernel() {
        let members = [Path::new("/dev/a"), Path::new("/dev/b")];
        assert_eq!(
            options(&members, true),
            "device=/dev/a,device=/dev/b,degraded"
        );
        assert_eq!(options(&members[..1], false), "device=/dev/a");
    }

    proptest! {
        #[test]
        fn any_block_is_read(block in proptest::collection::vec(any::<u8>(), 0..4200)) {
            let _ = parse(&block);
        }
    }
}
