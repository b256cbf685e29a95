//! Installed systems on which everything fits together, to change one thing of.

use std::path::Path;

use assess::Finding;
use hardware::Machine;
use rusqlite::Connection;

use crate::boot::esp::EspSource;
use crate::differences::differences;
use crate::files::MemoryFiles;
use crate::guests::DATABASE;
use crate::initrd::tests::archive;
use crate::installation::Installation;
use crate::look::{Sources, look};

pub(crate) const VERSION: &str = "6.8.12-2-pve";
pub(crate) const VFIO: &str = "options vfio-pci ids=10de:1b80\nsoftdep nouveau pre: vfio-pci\n";
const CMDLINE: &str = "root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on";

/// An initrd with that vfio.conf.
pub(crate) fn initrd(vfio: &str) -> Vec<u8> {
    archive(&[
        ("conf/initramfs.conf", b"MODULES=most\n"),
        ("conf/modules", b"vfio\n"),
        ("etc/modprobe.d/vfio.conf", vfio.as_bytes()),
    ])
}

/// A Proxmox VE host on ZFS that starts by systemd-boot from two ESPs.
pub(crate) struct Host {
    pub(crate) root: MemoryFiles,
    pub(crate) esps: Vec<(&'static str, MemoryFiles)>,
}

impl Host {
    pub(crate) fn on_zfs() -> Self {
        let root = common()
            .file("etc/kernel/cmdline", format!("{CMDLINE}\n"))
            .file("etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n5E6F-7A8B\n");
        Self {
            root,
            esps: vec![("1A2B-3C4D", esp()), ("5E6F-7A8B", esp())],
        }
    }

    /// On LVM, by GRUB for BIOS.
    pub(crate) fn on_lvm() -> Self {
        let menu = format!(
            "set default=0\nmenuentry 'Proxmox VE GNU/Linux' {{\n\tlinux /boot/vmlinuz-{VERSION} root=/dev/mapper/pve-root ro quiet intel_iommu=on\n\tinitrd /boot/initrd.img-{VERSION}\n}}\n"
        );
        let root = common()
            .file(
                "etc/default/grub",
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on\"\nGRUB_CMDLINE_LINUX=\"\"\n",
            )
            .file("boot/grub/grub.cfg", menu)
            .file("boot/grub/i386-pc/normal.mod", "");
        Self {
            root,
            esps: Vec::new(),
        }
    }

    pub(crate) fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.root = self.root.file(path, content);
        self
    }

    pub(crate) fn esp_file(
        mut self,
        index: usize,
        path: &str,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        let (_, files) = &mut self.esps[index];
        *files = std::mem::take(files).file(path, content);
        self
    }

    /// With these guests' files.
    pub(crate) fn guests(self, files: &[(&str, &str)]) -> Self {
        self.file(DATABASE, database(files))
    }

    pub(crate) fn look(&self) -> Installation {
        let esps = self.esps.iter().map(|(id, files)| EspSource {
            name: "disk".to_owned(),
            volume_id: Some((*id).to_owned()),
            partition: None,
            files,
        });
        look(&Sources {
            esps: esps.collect(),
            ..Sources::new(&self.root)
        })
    }

    pub(crate) fn findings(&self, machine: Option<&Machine>) -> Vec<Finding> {
        differences(&self.look(), machine)
    }
}

fn common() -> MemoryFiles {
    MemoryFiles::new()
        .file(
            "var/lib/dpkg/status",
            "Package: pve-manager\nStatus: install ok installed\nVersion: 8.2.4\n",
        )
        .file("etc/hostname", "pve\n")
        .file("etc/modprobe.d/vfio.conf", VFIO)
        .file("etc/initramfs-tools/modules", "vfio\n")
        .file(&format!("boot/vmlinuz-{VERSION}"), "kernel")
        .file(
            &format!("boot/config-{VERSION}"),
            "CONFIG_VFIO_PCI=m\nCONFIG_VFIO_VIRQFD=y\n",
        )
        .file(&format!("boot/initrd.img-{VERSION}"), initrd(VFIO))
        .file(DATABASE, database(&[]))
}

fn esp() -> MemoryFiles {
    let folder = format!("EFI/proxmox/{VERSION}");
    MemoryFiles::new()
        .file(
            "EFI/systemd/systemd-bootx64.efi",
            "#### LoaderInfo: systemd-boot 252 ####",
        )
        .file("loader/loader.conf", "timeout 3\ndefault proxmox-*\n")
        .file(
            &format!("loader/entries/proxmox-{VERSION}.conf"),
            loader_entry(CMDLINE),
        )
        .file(&format!("{folder}/vmlinuz-{VERSION}"), "kernel")
        .file(&format!("{folder}/initrd.img-{VERSION}"), initrd(VFIO))
}

pub(crate) fn loader_entry(options: &str) -> String {
    format!(
        "title Proxmox Virtual Environment\nversion {VERSION}\noptions {options}\nlinux /EFI/proxmox/{VERSION}/vmlinuz-{VERSION}\ninitrd /EFI/proxmox/{VERSION}/initrd.img-{VERSION}\n"
    )
}

/// A config.db with these files of /etc/pve.
pub(crate) fn database(files: &[(&str, &str)]) -> Vec<u8> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE tree (inode INTEGER PRIMARY KEY NOT NULL, parent INTEGER, version INTEGER, writer INTEGER, mtime INTEGER, type INTEGER, name TEXT, data BLOB); INSERT INTO tree VALUES (0, 0, 1, 0, 0, 8, '__version__', NULL);")
        .unwrap();
    let insert = |parent: i64, kind: i64, name: &str, data: &[u8]| {
        let known = connection.query_row(
            "SELECT inode FROM tree WHERE parent = ?1 AND name = ?2 AND inode <> 0",
            (parent, name),
            |row| row.get(0),
        );
        known.unwrap_or_else(|_| {
            connection
                .execute(
                    "INSERT INTO tree (parent, version, writer, mtime, type, name, data) VALUES (?1, 1, 0, 0, ?2, ?3, ?4)",
                    (parent, kind, name, data),
                )
                .unwrap();
            connection.last_insert_rowid()
        })
    };
    for (path, content) in files {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = folders
            .split('/')
            .filter(|folder| !folder.is_empty())
            .fold(0, |parent, folder| insert(parent, 4, folder, b""));
        insert(parent, 8, name, content.as_bytes());
    }
    connection.serialize("main").unwrap().to_vec()
}

/// A machine of functions: address, class and IOMMU group, all of the ids 10de:1b80.
pub(crate) fn machine(functions: &[(&str, &str, u32)]) -> Machine {
    let folder = tempfile::tempdir().unwrap();
    let sys = folder.path();
    for (address, class, group) in functions {
        let function = sys.join("bus/pci/devices").join(address);
        std::fs::create_dir_all(&function).unwrap();
        for (name, text) in [
            ("vendor", "0x10de"),
            ("device", "0x1b80"),
            ("class", class),
            ("revision", "0xa1"),
            ("resource", "0x0 0x0 0x0"),
        ] {
            std::fs::write(function.join(name), format!("{text}\n")).unwrap();
        }
        std::fs::write(function.join("config"), [0_u8; 256]).unwrap();
        link(
            &sys.join(format!("kernel/iommu_groups/{group}")),
            &function.join("iommu_group"),
            address,
        );
    }
    hardware::load(sys, None).unwrap().machine
}

fn link(group: &Path, from: &Path, address: &str) {
    std::fs::create_dir_all(group.join("devices")).unwrap();
    std::fs::write(group.join("reserved_regions"), "").unwrap();
    let up = Path::new("../../../../kernel/iommu_groups").join(group.file_name().unwrap());
    std::os::unix::fs::symlink(up, from).unwrap();
    let device = Path::new("../../../../bus/pci/devices").join(address);
    std::os::unix::fs::symlink(device, group.join("devices").join(address)).unwrap();
}
