use qemu_tests::golden::Golden;
use qemu_tests::storage_guest::Request;

use crate::clean::is_described;
use crate::lab::Lab;

/// Sets the flag in a thin pool's superblock that wants a check (drivers/md/dm-thin-metadata.c), by the
/// installed system's own tools: its metadata is dumped and restored with the flag.
const WANT_CHECK: &str = r#"
config='activation{udev_sync=0 udev_rules=0 monitoring=0} backup{backup=0 archive=0}'
lvm lvchange -qq -ay --config "$config" pve/root
mkdir -p /mnt/a
mount /dev/mapper/pve-root /mnt/a
for folder in proc sys dev run; do mount -o bind /$folder /mnt/a/$folder; done
lvm lvchange -qq -ay -y --config "$config" pve/data_tmeta
chroot /mnt/a /usr/sbin/thin_dump -o /run/metadata.xml /dev/mapper/pve-data_tmeta
table=$(dmsetup table pve-data_tmeta)
lvm lvchange -qq -an -y --config "$config" pve/data_tmeta
sed -i 's/flags="0"/flags="1"/' /run/metadata.xml
dmsetup create --noudevsync --table "$table" metadata
[ -e /dev/mapper/metadata ] || dmsetup mknodes
chroot /mnt/a /usr/sbin/thin_restore -i /run/metadata.xml -o /dev/mapper/metadata >/dev/null
chroot /mnt/a /usr/sbin/thin_dump /dev/mapper/metadata | grep -o 'flags="[0-9]*"'
for folder in proc sys dev run; do umount /mnt/a/$folder; done
umount /mnt/a
sync
"#;

#[test]
fn a_thin_pool_that_wants_a_check_is_not_touched() {
    let Some((lab, [installed])) = Lab::with([Golden::LvmExt4Bios]) else {
        return;
    };
    let disks = lab.overlays("wants-check", &installed.disks);
    let told = lab.ask_on("installed-thin-pool", &disks, &[Request::shell(WANT_CHECK)]);
    assert_eq!(told.answers, ["flags=\"1\"\n"]);
    let found = lab.look("installed-thin-pool-look", &disks, &[]);
    is_described(&found, &installed.manifest);
}
