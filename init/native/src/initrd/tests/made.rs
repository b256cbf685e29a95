use std::collections::BTreeMap;

use archives::{Compression, Unpacking, walk};
use proxmox::files::MemoryFiles;

#[path = "../../../../testing/initrd.rs"]
mod writers;

use writers::archive_of;
pub(super) use writers::packed;

pub(super) const VERSION: &str = "6.8.12-2-pve";
pub(super) const VFIO: &str = "options vfio-pci ids=10de:1b80\n";
pub(super) const DEP: &str = "kernel/drivers/vfio/vfio.ko.zst: kernel/drivers/iommu/iommufd.ko.zst\n\
    kernel/drivers/vfio/pci/vfio-pci.ko.zst: kernel/drivers/vfio/vfio.ko.zst kernel/drivers/iommu/iommufd.ko.zst\n\
    kernel/drivers/iommu/iommufd.ko.zst:\nkernel/fs/ext4.ko.zst:\n";
pub(super) const INSIDE: &str = "kernel/fs/ext4.ko:\nkernel/drivers/iommu/iommufd.ko:\n";

/// An archive with these entries, up to where the kernel looks for the next one.
pub(super) fn archive(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = archive_of(entries);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub(super) const FILE: u32 = 0o100_644;
pub(super) const LINK: u32 = 0o120_777;
pub(super) const FOLDER: u32 = 0o040_755;

pub(super) fn by_initramfs_tools(compression: Compression) -> Vec<u8> {
    let modules = format!("usr/lib/modules/{VERSION}");
    let name = |below: &str| format!("{modules}/{below}");
    let (dep, ext4, iommufd, folder) = (
        name("modules.dep"),
        name("kernel/fs/ext4.ko"),
        name("kernel/drivers/iommu/iommufd.ko"),
        name("kernel/drivers"),
    );
    let plain = archive(&[
        ("lib", LINK, b"usr/lib"),
        ("etc", FOLDER, b""),
        ("etc/modprobe.d", FOLDER, b""),
        ("etc/modprobe.d/old.conf", FILE, b"blacklist old\n"),
        ("etc/modprobe.d/same.conf", FILE, b"blacklist same\n"),
        ("conf/initramfs.conf", FILE, b"MODULES=most\n"),
        (
            "conf/modules",
            FILE,
            b"loop\nvfio_virqfd\nfrom_a_hook a=1\n",
        ),
        (
            "scripts/init-top/ORDER",
            FILE,
            b"/scripts/init-top/udev \"$@\"\n[ -e /conf/param.conf ] && . /conf/param.conf\n",
        ),
        (&folder, FOLDER, b""),
        (&dep, FILE, INSIDE.as_bytes()),
        (&ext4, FILE, b"ext4"),
        (&iommufd, FILE, b"iommufd"),
    ]);
    let mut early = archive(&[("kernel/x86/microcode/GenuineIntel.bin", FILE, b"microcode")]);
    early.extend(packed(compression, &plain));
    early
}

pub(super) fn root() -> MemoryFiles {
    let mut root = MemoryFiles::new()
        .file("etc/modprobe.d/preflight-vfio.conf", VFIO)
        .file("etc/modprobe.d/same.conf", "blacklist same\n")
        .file("etc/modprobe.d/note.txt", "not read")
        .file(
            "etc/initramfs-tools/modules",
            "# first\nvfio\nvfio_pci\nloop\n",
        )
        .file(
            "etc/initramfs-tools/scripts/init-top/preflight-vfio",
            "#!/bin/sh\n",
        )
        .file(&format!("usr/lib/modules/{VERSION}/modules.dep"), DEP)
        .symlink("lib", "usr/lib");
    for module in [
        "drivers/vfio/vfio",
        "drivers/vfio/pci/vfio-pci",
        "drivers/iommu/iommufd",
        "fs/ext4",
    ] {
        let path = format!("usr/lib/modules/{VERSION}/kernel/{module}.ko.zst");
        root = root.file(&path, zstd::encode_all(module.as_bytes(), 1).unwrap());
    }
    root
}

/// Entries as the kernel sees them in the end, folders aside; paths through `lib` as it resolves them.
pub(super) fn unpacked(initrd: &[u8]) -> BTreeMap<String, (u32, String)> {
    let mut files = BTreeMap::new();
    let walked = walk(
        initrd,
        &mut Unpacking::default(),
        &|entry| entry.is_file(),
        &mut |entry, bytes| {
            if entry.mode & 0o170_000 != 0o040_000 {
                files.insert(
                    entry.name,
                    (entry.mode, String::from_utf8_lossy(&bytes).into_owned()),
                );
            }
        },
    );
    walked.whole().unwrap();
    files
}
