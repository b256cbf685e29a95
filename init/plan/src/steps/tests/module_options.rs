//! Options of VFIO's modules: on, off, and as the host has them.

use super::*;

const THEIRS: &str = "/etc/modprobe.d/vfio.conf";

/// A host that switched all of it on, for another card.
fn switched_on() -> Host {
    Host::on_lvm().pve(GUEST, "bios: seabios\nmemory: 4096\n").file(
        "etc/modprobe.d/vfio.conf",
        "options vfio-pci ids=1002:67df disable_vga=1 disable_idle_d3=Y\noptions vfio_iommu_type1 allow_unsafe_interrupts=1\n",
    )
}

fn warnings(plan: &Plan) -> Vec<&str> {
    let named = plan
        .warnings
        .iter()
        .filter(|warning| warning.contains("stays so"));
    named.map(String::as_str).collect()
}

/// A host that is judged otherwise.
fn judged(judge: fn(&mut assess::Assessment)) -> Host {
    Host {
        judge,
        ..Host::on_lvm()
    }
}

/// The function was seen stuck in D3.
fn finding(place: &str) -> assess::Finding {
    assess::Finding {
        id: "power.stuck".into(),
        severity: assess::Severity::Blocks,
        unknown: false,
        function: Some(address(place)),
        summary: "stuck".to_owned(),
        evidence: vec!["its configuration space reads as all ones".to_owned()],
        remedy: None,
    }
}

#[test]
fn a_card_that_was_seen_stuck_is_kept_from_sleep() {
    const LINE: &str = "options vfio-pci disable_idle_d3=1\n";
    let card = || judged(|assessment| assessment.findings.push(finding(GPU)));
    let plan = settles(card());
    assert!(plan.text(OWN).contains(LINE), "{}", plan.text(OWN));
    let used = plan.options.iter();
    let used = used.filter(|used| used.option == "disable-idle-d3");
    let reasons: Vec<&str> = used.map(|used| used.reason.as_str()).collect();
    assert_eq!(reasons, ["its configuration space reads as all ones"]);
    let asked = card().set("disable-idle-d3=no").plan();
    assert!(!asked.text(OWN).contains("disable_idle_d3"));
    let other = judged(|assessment| assessment.findings.push(finding(NIC)));
    assert!(!other.plan().text(OWN).contains("disable_idle_d3"));
}

#[test]
fn where_interrupts_are_not_remapped_the_option_that_allows_it_is_named() {
    let warned = |plan: &Plan, part: &str| plan.warnings.iter().any(|one| one.contains(part));
    let none: fn(&mut assess::Assessment) =
        |assessment| assessment.iommu.interrupt_remapping = assess::Answer::No;
    let plan = settles(judged(none));
    assert!(warned(&plan, "Interrupts are not remapped on this machine"));
    assert!(!plan.text(OWN).contains("allow_unsafe_interrupts"));
    let asked = judged(none).set("unsafe-interrupts=yes").plan();
    assert!(warned(&asked, "crash it") && !warned(&asked, "is not needed"));
    let remapped = judged(|_| {});
    assert!(!warned(&remapped.plan(), "are not remapped"));
    assert!(warned(
        &remapped.set("unsafe-interrupts=yes").plan(),
        "is not needed"
    ));
}

#[test]
fn options_of_a_vfio_that_is_built_in_are_on_the_command_line_too() {
    let plan = settles(
        built_in()
            .set("unsafe-interrupts=yes")
            .set("disable-idle-d3=yes"),
    );
    let grub = plan.text(GRUB);
    for word in [
        "vfio_iommu_type1.allow_unsafe_interrupts=1",
        "vfio-pci.disable_idle_d3=1",
    ] {
        assert!(grub.contains(word), "{grub}");
    }
    let as_module = Host::on_lvm().set("unsafe-interrupts=yes").plan();
    assert!(!as_module.text(GRUB).contains("unsafe_interrupts"));
}

#[test]
fn legacy_mode_gets_vga_where_another_card_was_to_do_without() {
    let host = || {
        integrated().file(
            "etc/modprobe.d/vfio.conf",
            "options vfio-pci ids=10de:1b81 disable_vga=1\n",
        )
    };
    let of = |plan: Plan| plan.text("/etc/modprobe.d/vfio.conf");
    assert_eq!(
        of(settles(host().set("igd-legacy=yes"))),
        "options vfio-pci ids=10de:1b81,8086:3e92 disable_vga=0\n"
    );
    assert_eq!(
        of(settles(host())),
        "options vfio-pci ids=10de:1b81,8086:3e92 disable_vga=1\n"
    );
}

#[test]
fn what_the_host_has_on_goes_off_when_no_is_asked_for() {
    let host = switched_on()
        .set("disable-vga=no")
        .set("disable-idle-d3=no")
        .set("unsafe-interrupts=no");
    let plan = settles(host);
    assert_eq!(
        plan.text(THEIRS),
        "options vfio-pci ids=1002:67df,10de:1b80,10de:10f0 disable_vga=0 disable_idle_d3=0\n\
         options vfio_iommu_type1 allow_unsafe_interrupts=0\n"
    );
    assert!(warnings(&plan).is_empty(), "{:?}", plan.warnings);
    assert!(!plan.text(GRUB).contains("disable"), "{}", plan.text(GRUB));
    let used = |name: &str| {
        plan.options
            .iter()
            .any(|used| used.option == name && used.asked)
    };
    assert!(used("disable-vga") && used("disable-idle-d3") && used("unsafe-interrupts"));
}

#[test]
fn what_the_host_has_on_stays_by_default_and_the_file_is_named() {
    let plan = settles(switched_on());
    assert!(
        plan.text(THEIRS)
            .contains("disable_vga=1 disable_idle_d3=Y\n")
    );
    let warnings = warnings(&plan);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for (warning, parameter) in
        warnings
            .iter()
            .zip(["disable_vga", "disable_idle_d3", "allow_unsafe_interrupts"])
    {
        let begin = format!("{parameter} is on in {THEIRS}, and stays so");
        assert!(warning.starts_with(&begin), "{warning}");
    }
}

#[test]
fn nothing_is_written_to_switch_off_what_is_off() {
    let host = Host::on_lvm()
        .file(
            "etc/modprobe.d/a.conf",
            "options vfio-pci disable_idle_d3=1\n",
        )
        .file(
            "etc/modprobe.d/b.conf",
            "options vfio-pci disable_idle_d3=0\n",
        )
        .set("disable-vga=no")
        .set("disable-idle-d3=no");
    let plan = settles(host);
    assert!(!plan.text(OWN).contains("disable"), "{}", plan.text(OWN));
    assert!(!plan.changes_file("/etc/modprobe.d/a.conf") && warnings(&plan).is_empty());
}

#[test]
fn what_the_command_line_has_is_changed_there_too_for_it_holds_against_modprobe() {
    let grub =
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet vfio-pci.disable_vga=1 vfio_pci.disable_idle_d3=0\"\n";
    let host = || Host::on_lvm().file("etc/default/grub", grub);
    let plan = settles(host().set("disable-vga=no").set("disable-idle-d3=yes"));
    let text = plan.text(GRUB);
    assert!(
        text.contains("quiet vfio-pci.disable_vga=0 vfio_pci.disable_idle_d3=1 "),
        "{text}"
    );
    assert!(
        plan.text(OWN)
            .contains("options vfio-pci disable_idle_d3=1\n")
    );
    let seabios = settles(host().pve(GUEST, "bios: seabios\nmemory: 4096\n"));
    let warnings = warnings(&seabios);
    assert!(
        matches!(warnings.as_slice(), [one] if one.starts_with("disable_vga is on in the kernel command line,")),
        "{warnings:?}"
    );
}

#[test]
fn what_a_start_is_given_counts_where_the_files_say_nothing_of_it() {
    let menu = "set default=0\nmenuentry 'Proxmox VE' {\n\tlinux /boot/vmlinuz-6.5.13-1-pve root=/dev/mapper/pve-root ro quiet vfio-pci.disable_vga=y\n\tinitrd /boot/initrd.img-6.5.13-1-pve\n}\n";
    let host = Host::on_lvm().file("boot/grub/grub.cfg", menu);
    let text = settles(host.set("disable-vga=no")).text(GRUB);
    assert!(text.contains("vfio-pci.disable_vga=0"), "{text}");
}

#[test]
fn each_module_is_asked_whether_it_is_built_in_by_itself() {
    let config = |pci: &str, type1: &str| {
        let text = format!(
            "CONFIG_VFIO_PCI={pci}\nCONFIG_VFIO_IOMMU_TYPE1={type1}\nCONFIG_VFIO_VIRQFD=m\n"
        );
        let host = Host::on_lvm().kernel("5.4.30-1-pve", &text);
        let plan = settles(host.set("unsafe-interrupts=yes").set("disable-idle-d3=yes"));
        let grub = plan.text(GRUB);
        [
            "vfio_iommu_type1.allow_unsafe_interrupts=1",
            "vfio-pci.disable_idle_d3=1",
        ]
        .map(|word| grub.contains(word))
    };
    assert_eq!(config("m", "y"), [true, false]);
    assert_eq!(config("y", "m"), [false, true]);
}

#[test]
fn firmware_that_is_asked_for_has_a_say_before_the_guests_file() {
    let asked = |bios: &str, file: &str| {
        let host = Host::on_lvm().pve(GUEST, &format!("bios: {file}\nmachine: q35\n"));
        let plan = host.set(&format!("bios={bios}")).plan();
        plan.text(OWN).contains("disable_vga=1")
    };
    assert!(!asked("seabios", "ovmf"));
    assert!(asked("ovmf", "seabios"));
    assert!(asked("leave", "ovmf"));
}
