use std::io::Write;

use proxmox::files::{Files, MemoryFiles};

use super::super::verify;
use crate::plan::Plan;
use crate::testing::Host;

pub(super) const VERSION: &str = "6.5.13-1-pve";
pub(super) const DEP: &str = "kernel/drivers/vfio/vfio.ko: kernel/drivers/iommu/iommufd/iommufd.ko\n\
    kernel/drivers/vfio/pci/vfio-pci-core.ko: kernel/drivers/vfio/vfio.ko kernel/virt/lib/irqbypass.ko\n\
    kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/pci/vfio-pci-core.ko kernel/drivers/vfio/vfio.ko kernel/virt/lib/irqbypass.ko kernel/drivers/iommu/iommufd/iommufd.ko\n\
    kernel/drivers/vfio/vfio_iommu_type1.ko: kernel/drivers/vfio/vfio.ko kernel/drivers/iommu/iommufd/iommufd.ko\n";
pub(super) const ESPS: [&str; 2] = ["1A2B-3C4D", "5E6F-7A8B"];

/// Files of an initrd, by path.
pub(super) type Content = Vec<(String, Vec<u8>)>;

pub(super) fn archive(content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, file) in content {
        let builder = cpio::newc::Builder::new(name).mode(0o100_644);
        let mut writer = builder.write(bytes, u32::try_from(file.len()).unwrap());
        writer.write_all(file).unwrap();
        bytes = writer.finish().unwrap();
    }
    cpio::newc::trailer(bytes).unwrap()
}

/// What mkinitramfs makes of a root's files.
pub(super) fn made(host: &Host) -> Content {
    let read = |path: &str| host.root.read(path.as_ref(), u64::MAX).unwrap_or_default();
    let mut content: Content = vec![("conf/initramfs.conf".to_owned(), b"MODULES=most\n".to_vec())];
    for name in host
        .root
        .list("etc/modprobe.d".as_ref())
        .unwrap_or_default()
    {
        let path = format!("etc/modprobe.d/{}", name.to_string_lossy());
        content.push((path.clone(), read(&path)));
    }
    content.push((
        "conf/modules".to_owned(),
        read("etc/initramfs-tools/modules"),
    ));
    let script = read("etc/initramfs-tools/scripts/init-top/preflight-vfio");
    if !script.is_empty() {
        content.push(("scripts/init-top/preflight-vfio".to_owned(), script));
        let order = "/scripts/init-top/preflight-vfio \"$@\"\n[ -e /conf/param.conf ] && . /conf/param.conf\n/scripts/init-top/udev \"$@\"\n";
        content.push(("scripts/init-top/ORDER".to_owned(), order.into()));
    }
    for module in [
        "drivers/vfio/vfio",
        "drivers/vfio/vfio_iommu_type1",
        "drivers/vfio/pci/vfio-pci",
        "drivers/vfio/pci/vfio-pci-core",
        "drivers/iommu/iommufd/iommufd",
        "virt/lib/irqbypass",
    ] {
        let path = format!("usr/lib/modules/{VERSION}/kernel/{module}.ko");
        content.push((path, Vec::new()));
    }
    content
}

pub(super) fn menu(options: &str) -> String {
    let linux = |root: &str, words: &str| {
        format!(
            "\tlinux /boot/vmlinuz-{VERSION} root={root} ro {words}\n\tinitrd /boot/initrd.img-{VERSION}\n"
        )
    };
    let entry = |title: &str, id: &str, body: &str| {
        format!("menuentry '{title}' $menuentry_id_option '{id}' {{\n{body}}}\n")
    };
    let own = linux("/dev/mapper/pve-root", options);
    [
        "set default=\"0\"\nmenuentry_id_option=\"--id\"\n".to_owned(),
        entry("Proxmox VE", "gnulinux-simple-1", &own),
        "submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-1' {\n".to_owned(),
        entry("Proxmox VE, with Linux", "gnulinux-6.5-advanced-1", &own),
        entry(
            "Proxmox VE (recovery mode)",
            "gnulinux-6.5-recovery-1",
            &linux("/dev/mapper/pve-root", "single"),
        ),
        "}\n".to_owned(),
        entry(
            "Debian",
            "osprober-gnulinux-simple-2",
            &linux("/dev/sdb1", "quiet"),
        ),
        entry("Mine", "mine", &linux("/dev/mapper/pve-root", "debug")),
        "menuentry 'Memory test' {\n\tlinux /boot/memtest86+x64.bin\n}\n".to_owned(),
    ]
    .concat()
}

pub(super) fn loader_entry(options: &str) -> String {
    let folder = format!("/EFI/proxmox/{VERSION}");
    format!(
        "title Proxmox Virtual Environment\nversion {VERSION}\noptions {options}\nlinux {folder}/vmlinuz-{VERSION}\ninitrd {folder}/initrd.img-{VERSION}\n"
    )
}

/// A host, what is planned for it, and the same host when that was done in full.
pub(super) struct Done {
    pub(super) plan: Plan,
    pub(super) host: Host,
    pub(super) content: Content,
}

impl Done {
    pub(super) fn on_lvm(host: Host) -> Self {
        let host = host.file(&format!("lib/modules/{VERSION}/modules.dep"), DEP);
        let plan = host.plan();
        assert_eq!(plan.refused(), [""; 0], "{}", crate::diff(&plan));
        let host = host
            .after(&plan)
            .file("boot/grub/grub.cfg", &menu("quiet intel_iommu=on iommu=pt"));
        let content = made(&host);
        Self {
            plan,
            host,
            content,
        }
        .packed()
    }

    /// Two ESPs, kept by proxmox-boot-tool.
    pub(super) fn on_zfs() -> Self {
        Self::on_esps(Host::on_zfs(), esp)
    }

    /// The same with GRUB on them, beside what a systemd-boot before it has left.
    pub(super) fn on_zfs_moved_to_grub() -> Self {
        let settings = "GRUB_CMDLINE_LINUX_DEFAULT=\"root=ZFS=rpool/ROOT/pve-1 boot=zfs\"\n";
        Self::on_esps(Host::on_zfs().file("etc/default/grub", settings), moved_esp)
    }

    fn on_esps(host: Host, esp: fn(&str) -> MemoryFiles) -> Self {
        let mut host = host
            .file("etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n5E6F-7A8B\n")
            .file(&format!("lib/modules/{VERSION}/modules.dep"), DEP);
        host.esps = ESPS
            .map(|id| (id, esp("root=ZFS=rpool/ROOT/pve-1 boot=zfs")))
            .into();
        let plan = host.plan();
        assert_eq!(plan.refused(), [""; 0], "{}", crate::diff(&plan));
        let mut host = host.after(&plan);
        let options = "root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on iommu=pt";
        host.esps = ESPS.map(|id| (id, esp(options))).into();
        let content = made(&host);
        Self {
            plan,
            host,
            content,
        }
        .packed()
    }

    /// With the initrd everywhere.
    pub(super) fn packed(mut self) -> Self {
        let bytes = archive(&self.content);
        let name = format!("initrd.img-{VERSION}");
        self.host.root = self.host.root.file(&format!("boot/{name}"), bytes.clone());
        for (_, files) in &mut self.host.esps {
            let by_grub = files.kind("EFI/proxmox/grubx64.efi".as_ref()).is_ok();
            let path = match by_grub {
                true => name.clone(),
                false => format!("EFI/proxmox/{VERSION}/{name}"),
            };
            *files = std::mem::take(files).file(&path, bytes.clone());
        }
        self
    }

    pub(super) fn without(mut self, path: &str) -> Self {
        let before = self.content.len();
        self.content.retain(|(name, _)| !name.ends_with(path));
        assert_eq!(self.content.len(), before - 1, "{path}");
        self.packed()
    }

    pub(super) fn with(mut self, path: &str, bytes: &str) -> Self {
        let file = self.content.iter_mut().find(|(name, _)| name == path);
        file.unwrap().1 = bytes.into();
        self.packed()
    }

    pub(super) fn file(mut self, path: &str, text: &str) -> Self {
        self.host = self.host.file(path, text);
        self
    }

    pub(super) fn esp_file(mut self, index: usize, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let (_, files) = &mut self.host.esps[index];
        *files = std::mem::take(files).file(path, bytes);
        self
    }

    pub(super) fn verify(&self) -> Vec<String> {
        let (installation, files) = self.host.read();
        let found = verify(&self.plan, &installation, &files);
        found.iter().map(ToString::to_string).collect()
    }
}

pub(super) fn esp(options: &str) -> MemoryFiles {
    let folder = format!("EFI/proxmox/{VERSION}");
    MemoryFiles::new()
        .file(
            "EFI/systemd/systemd-bootx64.efi",
            "#### LoaderInfo: systemd-boot 252 ####",
        )
        .file("loader/loader.conf", "timeout 3\ndefault proxmox-*\n")
        .file(
            &format!("loader/entries/proxmox-{VERSION}.conf"),
            loader_entry(options),
        )
        .file(&format!("{folder}/vmlinuz-{VERSION}"), "kernel")
        .file(&format!("{folder}/initrd.img-{VERSION}"), "old")
}

fn moved_esp(options: &str) -> MemoryFiles {
    let entry = format!(
        "menuentry 'Proxmox VE' {{\n\tlinux /vmlinuz-{VERSION} {options}\n\tinitrd /initrd.img-{VERSION}\n}}\n"
    );
    esp("root=ZFS=rpool/ROOT/pve-1 boot=zfs")
        .file("EFI/proxmox/grubx64.efi", "Welcome to GRUB!")
        .file("EFI/proxmox/grub.cfg", "set prefix=($root)'/grub'\n")
        .file("grub/grub.cfg", entry)
        .file(&format!("vmlinuz-{VERSION}"), "kernel")
        .file(&format!("initrd.img-{VERSION}"), "old")
}

pub(super) fn lvm() -> Done {
    Done::on_lvm(Host::on_lvm())
}

/// Two cards of the same kind, of which one stays: bound by address.
pub(super) fn twins() -> Done {
    let host = Host::on_lvm()
        .function("0000:05:00.0", 0x03_00_00, (0x10de, 0x1b80), 5)
        .function("0000:05:00.1", 0x04_03_00, (0x10de, 0x10f0), 5);
    Done::on_lvm(host)
}
