//! What initrds hold, beside what /etc says.

use super::*;

#[test]
fn a_vfio_conf_edited_after_the_initrd_was_made_is_found_line_by_line() {
    for host in [Host::on_zfs(), Host::on_lvm()] {
        let findings = of(&host.file(
            "etc/modprobe.d/vfio.conf",
            "options vfio-pci ids=10de:2484\nsoftdep nouveau pre: vfio-pci\n",
        ));
        let stale = the("system.initrd-stale", &findings);
        assert_eq!(stale.severity, Severity::Caution);
        assert_eq!(
            stale.evidence,
            [
                "/etc/modprobe.d/vfio.conf:1 says 'options vfio_pci ids=10de:2484', the initrd does not",
                "the initrd says 'options vfio_pci ids=10de:1b80', /etc/modprobe.d/vfio.conf does not any more",
            ]
        );
    }
}

#[test]
fn a_file_that_was_removed_and_a_module_that_is_not_packed_make_an_initrd_stale() {
    let with_more = archive(&[
        ("conf/initramfs.conf", b"" as &[u8]),
        ("conf/modules", b""),
        ("etc/modprobe.d/vfio.conf", VFIO.as_bytes()),
        ("etc/modprobe.d/old.conf", b"blacklist nouveau\n"),
    ]);
    let host = Host::on_lvm().file(&format!("boot/initrd.img-{VERSION}"), with_more);
    let stale = the("system.initrd-stale", &of(&host));
    assert!(
        stale.evidence[0].contains("/etc/modprobe.d/old.conf is gone"),
        "{stale:?}"
    );
    assert!(
        stale.evidence[1].contains("/etc/initramfs-tools/modules:1 lists vfio"),
        "{stale:?}"
    );
}

#[test]
fn an_initrd_of_dracut_for_any_host_is_told_from_one_that_is_old() {
    let made = |files: &[(&str, &[u8])]| {
        let tool: (&str, &[u8]) = ("usr/lib/dracut/build-parameter.txt", b"");
        let all: Vec<(&str, &[u8])> = files.iter().copied().chain([tool]).collect();
        of(&Host::on_lvm().file(&format!("boot/initrd.img-{VERSION}"), archive(&all)))
    };
    let generic = made(&[]);
    let finding = the("system.initrd-generic", &generic);
    assert_eq!(finding.severity, Severity::Caution);
    assert!(
        finding.evidence[0].ends_with("the initrd does not"),
        "{finding:?}"
    );
    assert!(!ids(&generic).contains(&"system.initrd-stale"));
    let own = made(&[(
        "etc/modprobe.d/vfio.conf",
        b"options vfio-pci ids=1002:67df\n",
    )]);
    the("system.initrd-stale", &own);
    assert!(!ids(&own).contains(&"system.initrd-generic"));
}

#[test]
fn an_initrd_that_is_cut_off_blocks_the_next_start() {
    let mut cut = initrd(VFIO);
    cut.truncate(200);
    let findings = of(&Host::on_lvm().file(&format!("boot/initrd.img-{VERSION}"), cut));
    assert_eq!(
        the("system.initrd-broken", &findings).severity,
        Severity::Blocks
    );
}
