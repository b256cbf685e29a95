use plan::edit::{Source, WordEdit, grub, kernel_cmdline, modprobe, module_list, sysfs};
use proxmox::boot::esp::EspSource;
use proxmox::boot::firmware::BootEntry;
use proxmox::files::{Files, MemoryFiles};
use proxmox::{Found, Sources, Systems};
use report::TextOptions;

/// Where in an installed system the bytes go: the first of them says which, `a` for the first line here.
const PLACES: [&str; 24] = [
    "boot/grub/grub.cfg",
    "boot/grub/grubenv",
    "boot/initrd.img-6.8.12-2-pve",
    "boot/config-6.8.12-2-pve",
    "boot/System.map-6.8.12-2-pve",
    "etc/default/grub",
    "etc/kernel/cmdline",
    "etc/kernel/proxmox-boot-uuids",
    "etc/modprobe.d/any.conf",
    "etc/modules",
    "etc/network/interfaces",
    "etc/netplan/any.yaml",
    "etc/systemd/network/any.link",
    "etc/libvirt/qemu/any.xml",
    "etc/sysctl.conf",
    "etc/sysfs.conf",
    "etc/driverctl.d/0000:01:00.0",
    "etc/udev/rules.d/any.rules",
    "etc/fstab",
    "etc/os-release",
    "var/lib/dpkg/status",
    "var/lib/pve-cluster/config.db",
    "var/lib/pve-cluster/config.db-wal",
    "var/log/libvirt/qemu/any.log",
];

/// Places on an ESP, behind those.
const ON_ESP: [&str; 4] = [
    "loader/loader.conf",
    "loader/entries/proxmox-6.8.12-2-pve.conf",
    "EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve",
    "grub/grub.cfg",
];

/// Places of the root again, behind those: a letter that stands before keeps its meaning.
const MORE: [&str; 1] = ["etc/systemd/system/any.mount"];

/// A database of guests, behind the byte that says what it is.
const DATABASE: &[u8] = include_bytes!("../corpus/installed-system/config.db");

/// A system that has all there is to read, with nothing wrong.
fn sound() -> (MemoryFiles, MemoryFiles) {
    let root = MemoryFiles::new()
        .file("boot/vmlinuz-6.8.12-2-pve", "kernel")
        .file(
            "boot/grub/grub.cfg",
            "menuentry 'a' {\nlinux /vmlinuz-6.8.12-2-pve root=/dev/sda1\n}\n",
        )
        .file("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n")
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("etc/hostname", "pve\n")
        .file("etc/systemd/system/local-fs.target.wants/any.mount", "")
        .file("var/lib/pve-cluster/config.db", &DATABASE[1..])
        .file(
            "var/lib/dpkg/status",
            "Package: pve-manager\nStatus: install ok installed\nVersion: 8.2.4\n",
        );
    let esp = MemoryFiles::new().file("EFI/proxmox/6.8.12-2-pve/vmlinuz-6.8.12-2-pve", "kernel");
    (root, esp)
}

/// Any bytes in the place of any file: the system is read and judged, and both pages are made of it.
pub(crate) fn system(bytes: &[u8]) {
    let Some((first, content)) = bytes.split_first() else {
        return;
    };
    let place = usize::from(first.wrapping_sub(b'a')) % (PLACES.len() + ON_ESP.len() + MORE.len());
    let (mut root, mut esp) = sound();
    let on_root = PLACES.get(place);
    match on_root.or_else(|| MORE.get(place.checked_sub(PLACES.len() + ON_ESP.len())?)) {
        Some(path) => root = root.file(path, content),
        None => esp = esp.file(ON_ESP[place - PLACES.len()], content),
    }
    let files: &dyn Files = &esp;
    let installation = proxmox::look(&Sources {
        esps: vec![EspSource {
            name: "disk".to_owned(),
            volume_id: Some("1A2B-3C4D".to_owned()),
            partition: None,
            files,
        }],
        ..Sources::new(&root)
    });
    let found = Found {
        systems: vec![("/mnt".to_owned(), installation)],
        look: None,
    };
    let systems = Systems::new(found, None);
    let text = report::systems_text(&systems, &TextOptions::default());
    let plain = |byte: u8| byte == b'\n' || byte == b' ' || byte.is_ascii_graphic();
    assert!(text.bytes().all(plain), "{text}");
    let json = report::systems_json(&systems);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
}

/// A boot entry is in its bytes.
pub(crate) fn boot_entry(bytes: &[u8]) {
    if let Ok(entry) = BootEntry::parse(1, bytes) {
        let file = entry.file.map_or(0, |file| file.chars().count());
        assert!((entry.description.chars().count() + file) * 2 <= bytes.len());
    }
}

/// What is not edited stays byte for byte; an edit that is made again changes nothing more.
pub(crate) fn edits(bytes: &[u8]) {
    assert_eq!(Source::parse(bytes).print(), bytes);
    let words = [WordEdit::item("iommu", "pt")];
    let items = ["10de:1b80".to_owned()];
    let again = |edit: &dyn Fn(&[u8]) -> Option<Vec<u8>>| {
        if let Some(once) = edit(bytes) {
            assert_eq!(edit(&once).as_deref(), Some(&once[..]));
        }
    };
    again(&|file| kernel_cmdline::edit(file, &words).ok());
    again(&|file| modprobe::add_items(file, "vfio-pci", "ids", &items).ok());
    again(&|file| modprobe::remove_items(file, "vfio-pci", "ids", &items).ok());
    again(&|file| module_list::add(file, &["vfio_pci"], &["nouveau"]).ok());
    again(&|file| module_list::remove(file, &["vfio_pci"]).ok());
    again(&|file| sysfs::set(file, |attribute| attribute == "a/b", "1").ok());
    let mut files = vec![("/etc/default/grub".to_owned(), bytes.to_vec())];
    if let Ok(changed) = grub::edit(&files, &words) {
        // A file of its own comes behind.
        for (path, content) in changed {
            files.retain(|(other, _)| *other != path);
            files.push((path, content));
        }
        files.sort();
        let more = grub::edit(&files, &words).map(|more| more.into_iter().collect::<Vec<_>>());
        assert!(
            more.as_ref()
                .is_ok_and(|more| more.iter().all(|file| files.contains(file))),
            "{more:?}"
        );
    }
}
