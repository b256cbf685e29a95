//! A host on which a card can be given to a guest, to change one thing of.

use std::collections::BTreeMap;

use assess::{Answer, Assessment, IommuVendor, NoNames, assess};
use hardware::{Function, Group, HostDevice, HostRole, Machine, Reading, RomReading, RomSource};
use pci::{Address, ClassCode, FunctionId};
use proxmox::boot::esp::EspSource;
use proxmox::disks::DiskUse;
use proxmox::files::{Files, MemoryFiles};
use proxmox::{Installation, Sources, look};
use rusqlite::Connection;

use crate::edit::{Source, WordEdit, placed_words};
use crate::plan::{Content, Tree};
use crate::{Choice, Plan, Subject, SystemFiles, plan};

pub(crate) const GPU: &str = "0000:01:00.0";
pub(crate) const AUDIO: &str = "0000:01:00.1";
pub(crate) const NIC: &str = "0000:03:00.0";
pub(crate) const DISK: &str = "0000:04:00.0";
pub(crate) const ALIASES: &str = "alias pci:v000010DEd*sv*sd*bc03sc00i* nouveau\nalias pci:v000010DEd*sv*sd*bc03sc00i* nvidiafb\n\
    alias pci:v*d*sv*sd*bc04sc03i00* snd_hda_intel\nalias pci:v*d*sv*sd*bc02sc00i* igb\nalias pci:v*d*sv*sd*bc01sc08i02* nvme\n\
    alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\nalias usb:v* usbcore\n";

pub(crate) struct Host {
    pub(crate) machine: Machine,
    pub(crate) root: MemoryFiles,
    pub(crate) esps: Vec<(&'static str, MemoryFiles)>,
    pub(crate) pve: BTreeMap<String, String>,
    pub(crate) ssh: bool,
    pub(crate) vendor: IommuVendor,
    pub(crate) change: fn(&mut Installation),
    pub(crate) judge: fn(&mut Assessment),
    pub(crate) disks: Option<Vec<DiskUse>>,
    pub(crate) roms: Option<Vec<RomReading>>,
    pub(crate) choice: Choice,
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

impl Host {
    /// Proxmox VE 8 on LVM, started by GRUB for BIOS, with an NVIDIA card that is not the firmware's display.
    pub(crate) fn on_lvm() -> Self {
        let root = MemoryFiles::new()
            .file("etc/default/grub", "# mine\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n")
            .file("boot/grub/grub.cfg", "set default=0\nmenuentry 'Proxmox VE' {\n\tlinux /boot/vmlinuz-6.5.13-1-pve root=/dev/mapper/pve-root ro quiet\n\tinitrd /boot/initrd.img-6.5.13-1-pve\n}\n")
            .file("boot/grub/i386-pc/normal.mod", "");
        Self::new(root)
    }

    /// The same on ZFS, started by systemd-boot.
    pub(crate) fn on_zfs() -> Self {
        let root = MemoryFiles::new()
            .file("etc/kernel/cmdline", "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n")
            .file("etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n");
        Self::new(root)
    }

    fn new(root: MemoryFiles) -> Self {
        let root = root
            .file("var/lib/dpkg/status", "Package: pve-manager\nStatus: install ok installed\nVersion: 8.1.4\n\nPackage: initramfs-tools\nStatus: install ok installed\nVersion: 0.142\n")
            .file("usr/sbin/mkinitramfs", "")
            .file("etc/hostname", "pve\n")
            .file("etc/initramfs-tools/modules", "# modules for the initrd\n")
            .file("etc/modules", "");
        let machine = Machine {
            groups: Reading::Known(Vec::new()),
            host_devices: Reading::Known(Vec::new()),
            ..Machine::default()
        };
        let host = Self {
            machine,
            root,
            esps: Vec::new(),
            pve: BTreeMap::new(),
            ssh: true,
            vendor: IommuVendor::Intel,
            change: |_| {},
            judge: |_| {},
            disks: None,
            roms: None,
            choice: Choice {
                devices: vec![address(GPU)],
                guest: Some(100),
                ..Choice::default()
            },
        };
        host.kernel(
            "6.5.13-1-pve",
            "CONFIG_VFIO_PCI=m\n# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set\n",
        )
        .pve(
            "nodes/pve/qemu-server/100.conf",
            "bios: ovmf\nmachine: q35\nmemory: 4096\nostype: win11\n",
        )
        .function("0000:00:02.0", 0x03_00_00, (0x1234, 0x1111), 0)
        .function(GPU, 0x03_00_00, (0x10de, 0x1b80), 1)
        .function(AUDIO, 0x04_03_00, (0x10de, 0x10f0), 1)
        .function(NIC, 0x02_00_00, (0x8086, 0x1521), 2)
        .function(DISK, 0x01_08_02, (0x144d, 0xa808), 3)
        .with(HostRole::Disk, "nvme0n1", DISK)
        .with(HostRole::Network, "eno1", NIC)
    }

    pub(crate) fn kernel(self, version: &str, config: &str) -> Self {
        self.file(&format!("boot/vmlinuz-{version}"), "kernel")
            .file(&format!("boot/config-{version}"), config)
            .file(&format!("lib/modules/{version}/modules.alias"), ALIASES)
    }

    pub(crate) fn file(mut self, path: &str, content: &str) -> Self {
        self.root = self.root.file(path, content);
        self
    }

    /// Something is there that is no file.
    pub(crate) fn unreadable(mut self, path: &str) -> Self {
        self.root = self.root.special(path, proxmox::files::Kind::Pipe);
        self
    }

    pub(crate) fn without_guests(mut self) -> Self {
        self.pve.clear();
        self
    }

    pub(crate) fn without_ssh(mut self) -> Self {
        self.ssh = false;
        self
    }

    pub(crate) fn pve(mut self, path: &str, content: &str) -> Self {
        self.pve.insert(path.to_owned(), content.to_owned());
        self
    }

    pub(crate) fn function(
        mut self,
        place: &str,
        class: u32,
        (vendor, device): (u16, u16),
        group: u32,
    ) -> Self {
        let place = address(place);
        let function = Function {
            id: FunctionId::new(vendor, device),
            class: ClassCode(class),
            driver: Reading::Absent,
            boot_vga: Reading::Known(place == address("0000:00:02.0")),
            physical_function: Reading::Absent,
            total_virtual_functions: Reading::Absent,
            group: Reading::Known(group),
            subsystem: Reading::Known(FunctionId::new(0x1043, 0x85aa)),
            parent: Reading::Absent,
            ..Function::unknown(place, "not looked at")
        };
        self.machine.functions.push(function);
        self.machine
            .functions
            .sort_by_key(|function| function.address);
        if let Reading::Known(groups) = &mut self.machine.groups {
            match groups.iter_mut().find(|known| known.id == group) {
                Some(known) => known.functions.push(place),
                None => groups.push(Group {
                    id: group,
                    functions: vec![place],
                    reserved_regions: Reading::Known(Vec::new()),
                }),
            }
        }
        self
    }

    pub(crate) fn on(mut self, place: &str, change: impl FnOnce(&mut Function)) -> Self {
        let place = address(place);
        let function = self
            .machine
            .functions
            .iter_mut()
            .find(|function| function.address == place);
        change(function.unwrap());
        self
    }

    pub(crate) fn with(mut self, role: HostRole, name: &str, place: &str) -> Self {
        if let Reading::Known(devices) = &mut self.machine.host_devices {
            devices.push(HostDevice {
                role,
                name: name.to_owned(),
                function: address(place),
                detail: name.to_owned(),
            });
        }
        self
    }

    pub(crate) fn set(mut self, setting: &str) -> Self {
        self.choice.set(setting).unwrap();
        self
    }

    /// What was read through the ROM BAR of a function.
    pub(crate) fn rom(mut self, place: &str, bytes: Vec<u8>) -> Self {
        self.roms.get_or_insert_default().push(RomReading {
            address: address(place),
            id: None,
            source: RomSource::RomBar,
            place: format!("/sys/bus/pci/devices/{place}/rom"),
            taint: None,
            bytes: Ok(bytes),
            not_restored: Vec::new(),
        });
        self
    }

    /// What is read of it.
    pub(crate) fn read(&self) -> (Installation, SystemFiles) {
        let tree: Vec<(&str, &str)> = self
            .pve
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let mut root = self.root.clone();
        if !tree.is_empty() {
            root = root.file("var/lib/pve-cluster/config.db", database(&tree));
        }
        if self.ssh {
            root = root.file("etc/ssh/sshd_config", "");
        }
        let esps = self.esps.iter().map(|(id, files)| EspSource {
            name: "disk".to_owned(),
            volume_id: Some((*id).to_owned()),
            partition: None,
            files,
        });
        let mut installation = look(&Sources {
            esps: esps.collect(),
            ..Sources::new(&root)
        });
        (self.change)(&mut installation);
        let files = SystemFiles::read(&root, &installation);
        (installation, files)
    }

    pub(crate) fn plan(&self) -> Plan {
        let (installation, files) = self.read();
        let mut assessment = assess(&self.machine, self.roms.as_deref(), &NoNames);
        assessment.findings.clear();
        for card in &mut assessment.cards {
            card.verdict = assess::Verdict::Ready;
        }
        assessment.iommu.vendor = self.vendor;
        assessment.iommu.firmware = Answer::Yes;
        assessment.iommu.interrupt_remapping = Answer::Yes;
        (self.judge)(&mut assessment);
        let subject = Subject {
            machine: &self.machine,
            assessment: &assessment,
            installation: &installation,
            files: &files,
            disks: self.disks.as_deref(),
        };
        plan(subject, &self.choice)
    }

    /// The host as it is when the plan has been carried out.
    pub(crate) fn after(mut self, plan: &Plan) -> Self {
        for change in &plan.changes {
            let text = change
                .after
                .bytes()
                .map(|bytes| String::from_utf8(bytes).unwrap());
            match (change.tree, text) {
                (Tree::Root, Some(text)) => {
                    self = self.file(change.path.trim_start_matches('/'), &text)
                }
                (Tree::Pve, Some(text)) => self = self.pve(&change.path, &text),
                _ => {}
            }
        }
        self.updated_grub(&plan.command_line)
    }

    /// With the menu that update-grub would make.
    fn updated_grub(mut self, edits: &[WordEdit]) -> Self {
        let path = "boot/grub/grub.cfg";
        let Ok(menu) = self.root.read(path.as_ref(), u64::MAX) else {
            return self;
        };
        let mut source = Source::parse(&menu);
        for edit in edits {
            let is_linux = |line: &crate::edit::Line| line.text.starts_with("\tlinux");
            let span = source.lines().find(is_linux).unwrap().span();
            let words = placed_words(&source, std::slice::from_ref(&span));
            edit.apply(&mut source, &words, span.end).unwrap();
        }
        self.root = self.root.file(path, source.print());
        self
    }
}

impl Plan {
    pub(crate) fn text(&self, path: &str) -> String {
        let change = self.changes.iter().find(|change| change.path == path);
        let bytes = change.map(|change| Content::bytes(&change.after).unwrap());
        String::from_utf8(
            bytes.unwrap_or_else(|| panic!("{path} does not change:\n{}", crate::diff(self))),
        )
        .unwrap()
    }

    pub(crate) fn changes_file(&self, path: &str) -> bool {
        self.changes.iter().any(|change| change.path == path)
    }

    pub(crate) fn refused(&self) -> Vec<&str> {
        let open = self.refusals.iter().filter(|refusal| !refusal.accepted);
        open.map(|refusal| refusal.id.as_str()).collect()
    }
}

/// A config.db with these files of /etc/pve.
fn database(files: &[(&str, &str)]) -> Vec<u8> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE tree (inode INTEGER PRIMARY KEY NOT NULL, parent INTEGER, version INTEGER, writer INTEGER, mtime INTEGER, type INTEGER, name TEXT, data BLOB);
             INSERT INTO tree VALUES (0, 0, 1, 0, 0, 8, '__version__', NULL);",
        )
        .unwrap();
    let mut folders: BTreeMap<String, i64> = BTreeMap::from([(String::new(), 0)]);
    let add = |parent: i64, kind: i64, name: &str, data: &[u8]| {
        connection
            .execute(
                "INSERT INTO tree (parent, version, writer, mtime, type, name, data) VALUES (?1, 1, 0, 0, ?2, ?3, ?4)",
                (parent, kind, name, data),
            )
            .unwrap();
        connection.last_insert_rowid()
    };
    for (path, content) in files {
        let parts: Vec<&str> = path.split('/').collect();
        let (name, above) = parts.split_last().unwrap();
        let mut at = String::new();
        let mut parent = 0;
        for folder in above {
            at = format!("{at}/{folder}");
            parent = *folders
                .entry(at.clone())
                .or_insert_with(|| add(parent, 4, folder, b""));
        }
        add(parent, 8, name, content.as_bytes());
    }
    connection.serialize("main").unwrap().to_vec()
}
