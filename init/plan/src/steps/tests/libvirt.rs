//! Hosts with libvirt.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

const HOOK: &str = "/etc/libvirt/hooks/qemu.d/preflight-rescan";

fn debian(host: Host) -> Host {
    let mut host = host
        .file(
            "var/lib/dpkg/status",
            "Package: libvirt-daemon\nStatus: install ok installed\nVersion: 9.0.0\n",
        )
        .file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian 12\"\n");
    host.choice.guest = None;
    host
}

#[test]
fn a_host_with_libvirt_gets_the_elements_for_a_domain_and_a_hook_where_the_framebuffer_stays() {
    let plan = settles(debian(Host::on_lvm()));
    let xml = plan.text("libvirt-hostdev.xml");
    assert!(
        xml.contains("<address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/>"),
        "{xml}"
    );
    assert!(!plan.changes_file(HOOK));
    let held = settles(debian(boot_display().set("framebuffer=leave")));
    assert!(held.changes_file(HOOK));
}

/// A /sys and a /proc of plain files, with the card in group 1.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        let device = files.device();
        let driver = files.path("sys/bus/pci/drivers/nouveau");
        for folder in [&device, &driver, &files.path("proc/7/fd")] {
            fs::create_dir_all(folder).unwrap();
        }
        for file in [
            device.join("remove"),
            device.join("driver_override"),
            driver.join("unbind"),
            files.path("sys/bus/pci/rescan"),
            files.path("sys/bus/pci/drivers_probe"),
        ] {
            fs::write(file, "").unwrap();
        }
        symlink("../../../kernel/iommu_groups/1", device.join("iommu_group")).unwrap();
        symlink(driver, device.join("driver")).unwrap();
        files
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn device(&self) -> std::path::PathBuf {
        self.path("sys/bus/pci/devices").join(GPU)
    }

    fn read(&self, path: impl AsRef<Path>) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap()
    }

    /// A process has this open.
    fn opened(self, file: &str) -> Self {
        symlink(file, self.path("proc/7/fd/30")).unwrap();
        self
    }

    /// Runs the hook as libvirt does.
    fn run(&self, host: Host, event: [&str; 2], domain: &str) {
        let hook = debian(host.set("framebuffer=leave")).plan().text(HOOK);
        let root = self.0.path().display();
        let hook = hook
            .replace("/sys/", &format!("{root}/sys/"))
            .replace("/proc/", &format!("{root}/proc/"))
            .replace("sleep 1\n", "");
        let mut shell = Command::new("/bin/sh")
            .args(["-c", &hook, "preflight-rescan", "guest"])
            .args(event)
            .arg("-")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // A hook that is not concerned does not read.
        let _ = shell.stdin.take().unwrap().write_all(domain.as_bytes());
        assert!(shell.wait().unwrap().success());
    }

    fn was_taken_away(&self) -> bool {
        let [removed, found] = [
            self.read(self.device().join("remove")),
            self.read("sys/bus/pci/rescan"),
        ];
        assert_eq!(removed, found);
        removed == "1\n"
    }
}

const START: [&str; 2] = ["prepare", "begin"];

/// As libvirt prints a domain: the address on the host, and the one in the guest.
fn domain(host: &str, guest: &str) -> String {
    format!(
        "<domain type='kvm'>\n  <devices>\n    <hostdev mode='subsystem' type='pci' managed='yes'>\n      \
         <driver name='vfio'/>\n      <source>\n        <address {host}/>\n      </source>\n      \
         <alias name='hostdev0'/>\n      <address type='pci' {guest}/>\n    </hostdev>\n  </devices>\n</domain>\n"
    )
}

const CARD: &str = "domain='0x0000' bus='0x01' slot='0x00' function='0x0'";
const OTHER: &str = "domain='0x0000' bus='0x06' slot='0x00' function='0x0'";

#[test]
fn the_hook_finds_the_card_among_the_hosts_addresses_of_a_domain() {
    let of = |domain: &str| {
        let files = Files::new();
        files.run(boot_display(), START, domain);
        files.was_taken_away()
    };
    assert!(of(&domain(CARD, OTHER)));
    assert!(!of(&domain(OTHER, CARD)));
    assert!(!of(&domain(&CARD.replace("0x0000", "0x0001"), OTHER)));
    assert!(!of(&domain(
        &CARD.replace("function='0x0'", "function='0x1'"),
        OTHER
    )));
    assert!(!of("<domain type='kvm'/>\n"));
    let by_hand = domain(
        "function=\"0x0\"\n\tslot=\"0x00\" bus=\"0x01\"  domain=\"0x0000\" ",
        OTHER,
    );
    assert!(of(&by_hand));
    assert!(of(&domain(CARD, OTHER).replace("\n", "")));
}

#[test]
fn the_hook_does_nothing_at_any_other_moment_of_a_guest() {
    for event in [["start", "begin"], ["release", "end"], ["prepare", "end"]] {
        let files = Files::new();
        files.run(boot_display(), event, &domain(CARD, OTHER));
        assert!(!files.was_taken_away(), "{event:?}");
    }
}

#[test]
fn the_hook_leaves_a_card_that_another_guest_has_open() {
    let of = |file: &str| {
        let files = Files::new().opened(file);
        fs::create_dir_all(files.device().join("vfio-dev/vfio4")).unwrap();
        files.run(boot_display(), START, &domain(CARD, OTHER));
        files.was_taken_away()
    };
    assert!(!of("/dev/vfio/1"));
    assert!(!of("/dev/vfio/devices/vfio4"));
    assert!(of("/dev/vfio/11"));
    assert!(of("/dev/vfio/vfio"));
    assert!(of("/dev/vfio/devices/vfio3"));
}

#[test]
fn the_hook_binds_by_address_again_what_was_bound_so() {
    let after = |host: Host| {
        let files = Files::new();
        files.run(host, START, &domain(CARD, OTHER));
        assert!(files.was_taken_away());
        [
            files.read(files.device().join("driver_override")),
            files.read("sys/bus/pci/drivers/nouveau/unbind"),
            files.read("sys/bus/pci/drivers_probe"),
        ]
    };
    let address = format!("{GPU}\n");
    assert_eq!(
        after(boot_display().set("bind=address")),
        ["vfio-pci\n", &address, &address]
    );
    assert_eq!(after(boot_display()), ["", "", ""]);
}
