use hardware::Reading;
use option_rom::Rom;

use crate::testing::{GPU, Host, NIC, address};
use crate::{Plan, RomFile, Tree, diff};

mod binding;
mod command_line;
mod devices;
mod guest;
mod handed_back;
mod host;
mod integrated;
mod libvirt;
mod mapping;
mod module_options;
mod no_effect;
mod refusals;

const GRUB: &str = "/etc/default/grub";
const OWN: &str = "/etc/modprobe.d/preflight-vfio.conf";
const SCRIPT: &str = "/etc/initramfs-tools/scripts/init-top/preflight-vfio";
const MODULES: &str = "/etc/initramfs-tools/modules";
const GUEST: &str = "nodes/pve/qemu-server/100.conf";

fn rom(bytes: &[u8]) -> RomFile {
    RomFile {
        path: "/stick/roms/my card.rom".to_owned(),
        length: bytes.len(),
        sha256: crate::sha256(bytes),
        rom: Rom::parse(bytes),
    }
}

#[test]
fn a_card_for_a_guest_on_a_host_with_grub() {
    let plan = Host::on_lvm().plan();
    assert!(!plan.is_refused(), "{}", diff(&plan));
    insta::assert_snapshot!(diff(&plan));
}

#[test]
fn a_card_for_a_guest_on_a_host_with_systemd_boot() {
    let plan = Host::on_zfs().plan();
    assert!(!plan.is_refused(), "{}", diff(&plan));
    assert_eq!(
        plan.text("/etc/kernel/cmdline"),
        "root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on iommu=pt\n"
    );
    assert!(!plan.changes_file(GRUB));
}

/// What a plan leaves to do once it has been carried out: nothing.
fn settles(host: Host) -> Plan {
    let plan = host.plan();
    assert!(!plan.is_refused(), "{}", diff(&plan));
    let again = host.after(&plan).plan();
    let changes = again
        .changes
        .iter()
        .filter(|change| change.tree != Tree::Stick);
    let left: Vec<&str> = changes.map(|change| change.path.as_str()).collect();
    assert!(left.is_empty(), "{}", diff(&again));
    assert!(again.needs.initramfs.is_empty() && again.needs.boot_files.is_empty());
    plan
}

#[test]
fn a_plan_that_was_carried_out_leaves_nothing_to_do() {
    for host in [
        Host::on_lvm(),
        Host::on_zfs(),
        twins(),
        built_in(),
        boot_display(),
        Host::on_lvm()
            .set("mapping=gpu")
            .set("hide-kvm=yes")
            .set("machine=q35")
            .set("rombar=no"),
        Host::on_lvm()
            .set("acs-override=downstream,multifunction")
            .set("unsafe-interrupts=yes")
            .set("blacklist=nouveau"),
        integrated().set("igd-legacy=yes"),
        virtual_functions().set("sriov=4"),
    ] {
        settles(host);
    }
}

fn twins() -> Host {
    Host::on_lvm().function("0000:02:00.0", 0x03_00_00, (0x10de, 0x1b80), 7)
}

/// Two displays for one guest.
fn two_cards() -> Host {
    let mut host = Host::on_lvm().function("0000:05:00.0", 0x03_00_00, (0x1002, 0x67df), 5);
    host.choice.devices.push(address("0000:05:00.0"));
    host
}

fn built_in() -> Host {
    Host::on_lvm().kernel(
        "5.4.30-1-pve",
        "CONFIG_VFIO_PCI=y\nCONFIG_VFIO_IOMMU_TYPE1=y\nCONFIG_VFIO_VIRQFD=m\n",
    )
}

fn boot_display() -> Host {
    Host::on_lvm()
        .on("0000:00:02.0", |function| {
            function.boot_vga = Reading::Known(false)
        })
        .on(GPU, |function| function.boot_vga = Reading::Known(true))
}

fn integrated() -> Host {
    let mut host = Host::on_lvm()
        .on("0000:00:02.0", |function| {
            function.id = pci::FunctionId::new(0x8086, 0x3e92)
        })
        .pve(GUEST, "bios: seabios\nmemory: 4096\nvga: std\n");
    host.choice.devices = vec![address("0000:00:02.0")];
    host
}

fn virtual_functions() -> Host {
    let mut host = Host::on_lvm().on(NIC, |function| {
        function.total_virtual_functions = Reading::Known(7)
    });
    host.choice.devices = vec![address(NIC)];
    host.choice.guest = None;
    host
}

fn gvt() -> Host {
    integrated().set("mdev=i915-GVTg_V5_4")
}

#[test]
fn a_plan_reads_back_from_its_json() {
    let plan = twins().plan();
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.starts_with("{\"schema\":\"preflight.plan/1\""));
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn a_device_that_is_no_longer_where_it_was_is_named() {
    let plan = Host::on_lvm().plan();
    let now = |change: fn(&mut Vec<hardware::Function>)| {
        let mut machine = Host::on_lvm().machine;
        change(&mut machine.functions);
        plan.misplaced(&machine)
    };
    assert!(now(|_| {}).is_empty());
    let other = now(|functions| {
        for function in functions {
            function.id = pci::FunctionId::new(0x8086, 0x1521);
        }
    });
    assert_eq!(other[0], "0000:01:00.0 was 10de:1b80, and is 8086:1521");
    let gone = now(|functions| functions.retain(|function| function.address != address(GPU)));
    assert_eq!(gone, ["0000:01:00.0 was 10de:1b80, and nothing is there"]);
}

#[test]
fn a_plan_of_before_ids_were_written_is_read_and_asks_for_none() {
    let plan = Host::on_lvm().plan();
    let mut document = serde_json::to_value(&plan).unwrap();
    let written = document.as_object_mut().unwrap().remove("device_ids");
    assert_eq!(
        written.unwrap()[GPU],
        serde_json::json!({"vendor": "10de", "device": "1b80"})
    );
    let read: Plan = serde_json::from_value(document).unwrap();
    assert!(read.misplaced(&hardware::Machine::default()).is_empty());
}
