mod done;

use done::{DEP, Done, VERSION, archive, loader_entry, lvm, menu, twins};

use super::*;
use crate::testing::{AUDIO, GPU, Host, address};

#[track_caller]
fn only(found: &[String], parts: &[&str]) {
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "{found:#?}");
    }
}

#[test]
fn what_was_done_in_full_agrees_with_the_plan() {
    for done in [lvm(), Done::on_zfs(), twins()] {
        assert!(!done.plan.needs.initramfs.is_empty());
        assert!(!done.plan.command_line.is_empty());
        assert_eq!(done.verify(), [""; 0]);
    }
}

#[test]
fn a_host_as_it_was_before_agrees_with_nothing() {
    let mut done = lvm();
    done.host = Host::on_lvm().file(&format!("lib/modules/{VERSION}/modules.dep"), DEP);
    let found = done.verify().join("\n");
    for part in [
        "/etc/modprobe.d/preflight-vfio.conf: wanted",
        "/etc/default/grub: wanted",
        "/etc/pve/nodes/pve/qemu-server/100.conf: wanted",
        "/boot/grub/grub.cfg:3: wanted: the kernel is given iommu=pt",
        "/boot/initrd.img-6.5.13-1-pve: wanted",
    ] {
        assert!(found.contains(part), "{part}\n{found}");
    }
}

#[test]
fn a_file_with_other_bytes_is_said_with_both_hashes() {
    let done = lvm().file("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"\"\n");
    let change = done
        .plan
        .changes
        .iter()
        .find(|change| change.path == "/etc/default/grub");
    let wanted = change.unwrap().after.sha256.clone();
    let found = crate::sha256(b"GRUB_CMDLINE_LINUX_DEFAULT=\"\"\n");
    only(
        &done.verify(),
        &["/etc/default/grub: wanted", &wanted, &found],
    );
}

#[test]
fn a_guest_whose_file_is_not_the_planned_one_is_said() {
    let mut done = lvm();
    done.host = done
        .host
        .pve("nodes/pve/qemu-server/100.conf", "memory: 1\n");
    only(
        &done.verify(),
        &["/etc/pve/nodes/pve/qemu-server/100.conf: wanted"],
    );
}

#[test]
fn a_planned_file_that_cannot_be_read_is_not_taken_for_right() {
    let mut done = lvm();
    done.host = done.host.unreadable("etc/default/grub");
    let found = done.verify().join("\n");
    assert!(
        found.contains("/etc/default/grub: cannot be verified"),
        "{found}"
    );
}

#[test]
fn every_entry_of_the_systems_kernels_has_to_pass_the_words_and_no_other_has() {
    let first = menu("quiet intel_iommu=on iommu=pt").replacen("on iommu=pt", "on", 1);
    only(
        &lvm().file("boot/grub/grub.cfg", &first).verify(),
        &[
            "/boot/grub/grub.cfg:4: wanted: the kernel is given iommu=pt",
            "intel_iommu=on'",
        ],
    );
    let both = menu("quiet intel_iommu=on iommu=pt,off");
    let found = lvm().file("boot/grub/grub.cfg", &both).verify();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[1].contains("iommu=pt, not off or nopt or soft"),
        "{found:#?}"
    );
}

#[test]
fn what_starts_next_has_to_pass_the_words_whoever_made_it() {
    let own =
        menu("quiet intel_iommu=on iommu=pt").replace("set default=\"0\"", "set default=\"mine\"");
    let found = lvm().file("boot/grub/grub.cfg", &own).verify();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("debug'"), "{found:#?}");
}

#[test]
fn an_entry_of_any_esp_without_the_words_is_said() {
    let old = loader_entry("root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on");
    let done = Done::on_zfs().esp_file(1, &format!("loader/entries/proxmox-{VERSION}.conf"), old);
    only(
        &done.verify(),
        &["ESP 5E6F-7A8B", "proxmox-6.5.13-1-pve.conf:3", "iommu=pt"],
    );
}

#[test]
fn an_esp_that_nobody_read_is_not_taken_for_right() {
    let mut done = Done::on_zfs();
    done.host.esps.pop();
    only(&done.verify(), &["ESP 5E6F-7A8B: cannot be verified"]);
    let (installation, files) = done.host.read();
    let reached = out_of_reach(&done.plan, &installation);
    assert_eq!(verify(&done.plan, &installation, &files), reached);
    assert!(reached.iter().all(Mismatch::is_unverified));
    done.host.esps.clear();
    let found = done.verify().join("\n");
    assert!(found.contains("the start: cannot be verified"), "{found}");
    done.plan.command_line.clear();
    done.plan.needs.initramfs.clear();
    assert_eq!(out_of_reach(&done.plan, &installation), []);
}

#[test]
fn an_entry_that_starts_with_another_initrd_is_said() {
    let old = menu("quiet intel_iommu=on iommu=pt").replacen(
        "initrd /boot/initrd.img-6.5.13-1-pve",
        "initrd /boot/initrd.img-6.5.13-1-pve.old",
        1,
    );
    only(
        &lvm().file("boot/grub/grub.cfg", &old).verify(),
        &[
            "it starts with an initrd of 6.5.13-1-pve",
            "initrd.img-6.5.13-1-pve.old",
        ],
    );
}

#[test]
fn a_copy_of_an_esp_with_other_bytes_is_said() {
    let old = archive(&lvm().content[..1].to_vec());
    let done = Done::on_zfs().esp_file(
        1,
        &format!("EFI/proxmox/{VERSION}/initrd.img-{VERSION}"),
        old,
    );
    let found = done.verify();
    assert!(
        found[0].contains("the same bytes as /boot/initrd.img-6.5.13-1-pve"),
        "{found:#?}"
    );
    assert!(
        found.iter().all(|line| line.contains("5E6F-7A8B")),
        "{found:#?}"
    );
}

#[test]
fn what_a_systemd_boot_left_on_an_esp_does_not_have_to_follow() {
    let done = Done::on_zfs_moved_to_grub();
    assert_eq!(done.verify(), [""; 0]);
    assert_eq!(done.host.plan().needs, crate::Needs::default());
    let name = format!("initrd.img-{VERSION}");
    let found = done.esp_file(1, &name, "old").verify();
    assert!(found[0].contains("5E6F-7A8B"), "{found:#?}");
    assert!(
        found.iter().all(|line| !line.contains("EFI/proxmox")),
        "{found:#?}"
    );
}

#[test]
fn an_initrd_without_the_planned_file_or_with_an_older_one_is_said() {
    let path = "etc/modprobe.d/preflight-vfio.conf";
    only(
        &lvm().without(path).verify(),
        &["/boot/initrd.img", path, "it is not there"],
    );
    only(
        &lvm()
            .with(path, "options vfio-pci ids=1234:5678\n")
            .verify(),
        &[path, "other bytes"],
    );
}

#[test]
fn an_initrd_without_a_module_that_vfio_needs_is_said() {
    for module in [
        "vfio-pci.ko",
        "vfio_iommu_type1.ko",
        "irqbypass.ko",
        "iommufd.ko",
    ] {
        let name = module.trim_end_matches(".ko").replace('-', "_");
        only(
            &lvm().without(module).verify(),
            &[&format!("without {name}")],
        );
    }
}

#[test]
fn without_the_kernels_own_list_its_modules_are_not_verified() {
    let mut done = lvm();
    done.host = done
        .host
        .unreadable(&format!("lib/modules/{VERSION}/modules.dep"));
    let found = done.verify();
    only(
        &found,
        &[
            "cannot be verified: vfio-pci in it",
            "modules.dep of 6.5.13-1-pve",
        ],
    );
}

#[test]
fn an_initrd_that_loads_vfio_late_or_not_at_all_is_said() {
    only(
        &lvm()
            .with("conf/modules", "vfio\nvfio_iommu_type1\n")
            .verify(),
        &["not vfio_pci"],
    );
    let listed = Host::on_lvm().file("etc/initramfs-tools/modules", "nouveau\n");
    let done = Done::on_lvm(listed).with(
        "conf/modules",
        "nouveau\nvfio\nvfio_iommu_type1\nvfio_pci\n",
    );
    only(&done.verify(), &["in this order", "nouveau, vfio"]);
}

#[test]
fn an_initrd_that_does_not_run_the_script_before_udev_is_said() {
    let script = "scripts/init-top/preflight-vfio";
    assert!(
        twins()
            .plan
            .changes_file("/etc/initramfs-tools/scripts/init-top/preflight-vfio")
    );
    only(
        &twins().without(script).verify(),
        &[script, "it is not there"],
    );
    only(
        &twins().without("scripts/init-top/ORDER").verify(),
        &["it does not run it"],
    );
    let late = "/scripts/init-top/udev \"$@\"\n/scripts/init-top/preflight-vfio \"$@\"\n";
    only(
        &twins().with("scripts/init-top/ORDER", late).verify(),
        &["it runs it after udev"],
    );
}

#[test]
fn an_initrd_that_is_gone_or_cut_off_is_not_taken_for_right() {
    let whole = archive(&lvm().content);
    let mut done = lvm();
    let path = format!("boot/initrd.img-{VERSION}");
    done.host.root = done.host.root.file(&path, &whole[..whole.len() / 2]);
    only(
        &done.verify(),
        &["/boot/initrd.img-6.5.13-1-pve: cannot be verified"],
    );
    done.host.root = done.host.root.file(&path, &b""[..]);
    only(&done.verify(), &["cannot be verified", "it is empty"]);
    done.host.root = done.host.root.special(&path, proxmox::files::Kind::Folder);
    let found = done.verify().join("\n");
    assert!(
        found.contains("/boot/initrd.img-6.5.13-1-pve: cannot be verified"),
        "{found}"
    );
}

fn unchanged(plan: &Plan) -> bool {
    let mut changes = plan.changes.iter();
    changes.all(|change| change.tree == crate::Tree::Stick)
}

#[test]
fn what_is_written_and_was_never_applied_is_needed_still() {
    let none = lvm().host.plan();
    assert!(unchanged(&none));
    assert_eq!(none.needs, crate::Needs::default());
    let mut stale = lvm().without("etc/modprobe.d/preflight-vfio.conf").host;
    let plan = stale.plan();
    assert!(unchanged(&plan));
    assert_eq!(plan.needs.initramfs, [VERSION]);
    assert_eq!(plan.needs.boot_files, []);
    stale = lvm().file("boot/grub/grub.cfg", &menu("quiet")).host;
    let plan = stale.plan();
    assert_eq!(plan.needs.initramfs, [""; 0]);
    assert_eq!(
        plan.needs.boot_files,
        [proxmox::boot::way::Method::GrubBios]
    );
    let stale = Done::on_zfs().without("vfio-pci.ko").host;
    let plan = stale.plan();
    assert!(unchanged(&plan));
    assert_eq!(
        plan.needs.boot_files,
        [proxmox::boot::way::Method::SystemdBoot]
    );
}

#[test]
fn an_initrd_that_binds_a_card_that_was_handed_back_is_needed_anew() {
    let bound = twins().host.set("bind=guest-start");
    let plan = bound.plan();
    let stale = bound.after(&plan).plan();
    assert!(unchanged(&stale), "{}", crate::diff(&stale));
    assert_eq!(stale.needs.initramfs, [VERSION]);
}

#[test]
fn a_mismatch_and_a_plan_with_its_words_go_through_json() {
    let done = lvm().file("etc/default/grub", "");
    let (installation, files) = done.host.read();
    let found = verify(&done.plan, &installation, &files);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Mismatch>>(&text).unwrap(), found);
    let text = serde_json::to_string(&done.plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), done.plan);
    assert_eq!(done.plan.devices, [address(GPU), address(AUDIO)]);
}
