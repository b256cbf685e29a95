use super::*;

fn grub(text: &str, edits: &[WordEdit]) -> Result<String, EditError> {
    let files = vec![(grub::MAIN.to_owned(), text.as_bytes().to_vec())];
    let changed = grub::edit(&files, edits)?;
    let mut shown = String::new();
    for (path, bytes) in changed {
        let name = if path == grub::MAIN { "" } else { "drop-in: " };
        shown.push_str(name);
        shown.push_str(&String::from_utf8(bytes).unwrap());
    }
    Ok(shown)
}

fn on() -> Vec<WordEdit> {
    vec![
        WordEdit::item_instead("intel_iommu", "on", &["off"]),
        WordEdit::item("iommu", "pt"),
    ]
}

#[test]
fn words_are_added_whatever_the_quotes() {
    for (before, after) in [
        ("A=\"quiet\"\n", "A=\"quiet intel_iommu=on iommu=pt\"\n"),
        ("A='quiet'\n", "A='quiet intel_iommu=on iommu=pt'\n"),
        ("A=quiet\n", "A=\"quiet intel_iommu=on iommu=pt\"\n"),
        ("A=\"\"\n", "A=\"intel_iommu=on iommu=pt\"\n"),
        ("A=\n", "A=\"intel_iommu=on iommu=pt\"\n"),
        ("A=\"quiet \"", "A=\"quiet intel_iommu=on iommu=pt\""),
        (
            "A=quiet\\ splash # x\n",
            "A=quiet\\ splash\" intel_iommu=on iommu=pt\" # x\n",
        ),
        (
            "A=\"quiet \\\n splash\"\n",
            "A=\"quiet \\\n splash intel_iommu=on iommu=pt\"\n",
        ),
        (
            "#A=\"twin\"\nA=\"quiet\" # kept\n\n",
            "#A=\"twin\"\nA=\"quiet intel_iommu=on iommu=pt\" # kept\n\n",
        ),
        (
            "A=\"quiet\"\nA=\"$A splash\"\n",
            "A=\"quiet\"\nA=\"$A splash intel_iommu=on iommu=pt\"\n",
        ),
        (
            "A=\"quiet\" intel\n",
            "A=\"quiet\" intel\nA=\"intel_iommu=on iommu=pt\"\n",
        ),
        ("# nothing", "# nothing\nA=\"intel_iommu=on iommu=pt\"\n"),
    ] {
        let name = "GRUB_CMDLINE_LINUX_DEFAULT";
        let text = |text: &str| {
            text.replace("A=", &format!("{name}="))
                .replace("$A", &format!("${name}"))
        };
        let changed = grub(&text(before), &on());
        // `A=x command` sets nothing, so only a file of its own is certain.
        if before.contains("intel\n") {
            assert!(changed.unwrap().starts_with("drop-in: "), "{before}");
            continue;
        }
        assert_eq!(changed.as_deref(), Ok(text(after).as_str()), "{before}");
    }
}

#[test]
fn an_item_goes_into_the_parameter_that_is_there() {
    for (before, after) in [
        (
            "quiet intel_iommu=off splash",
            "quiet intel_iommu=on splash iommu=pt",
        ),
        (
            "intel_iommu=sm_on iommu=pt",
            "intel_iommu=sm_on,on iommu=pt",
        ),
        ("intel-iommu=off,sm_on", "intel-iommu=sm_on,on iommu=pt"),
        (
            "intel_iommu=on intel_iommu=off iommu=pt",
            "intel_iommu=on iommu=pt",
        ),
        (
            "intel_iommu=off intel_iommu=on iommu=pt",
            "intel_iommu=on iommu=pt",
        ),
    ] {
        let file = |words: &str| format!("GRUB_CMDLINE_LINUX_DEFAULT=\"{words}\"\n");
        assert_eq!(
            grub(&file(before), &on()).as_deref(),
            Ok(file(after).as_str()),
            "{before}"
        );
    }
}

#[test]
fn a_value_that_only_a_shell_knows_is_left_and_a_file_behind_it_adds_the_words() {
    let text = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet $(cat /etc/words)\"\n";
    let changed = grub(text, &on()).unwrap();
    assert_eq!(
        changed,
        "drop-in: # Written by Preflight. The files before this one are left as they are.\n\
         GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT intel_iommu=on\"\n\
         GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt\"\n"
    );
}

#[test]
fn our_own_file_stands_where_it_is_sourced() {
    let computed = b"GRUB_CMDLINE_LINUX_DEFAULT=\"$(cat x)\"\n".to_vec();
    let last = b"GRUB_CMDLINE_LINUX_DEFAULT=\"last\"\n".to_vec();
    let files = vec![
        (grub::MAIN.to_owned(), computed),
        ("/etc/default/grub.d/zzz.cfg".to_owned(), last),
    ];
    let changed = grub::edit(&files, &on()).unwrap();
    let paths: Vec<&str> = changed.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/etc/default/grub.d/zzz.cfg"]);
}

#[test]
fn what_contradicts_and_cannot_be_taken_away_is_refused() {
    let text = "MINE=\"intel_iommu=off\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet $MINE\"\n";
    assert_eq!(
        grub(text, &on()),
        Err(EditError::Elsewhere("intel_iommu=on".to_owned()))
    );
    let across = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iom\"'mu=off'\n";
    assert_eq!(
        grub(across, &on()),
        Err(EditError::Elsewhere("intel_iommu=on".to_owned()))
    );
    let computed = "GRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=off $(cat x)\"\n";
    assert!(matches!(grub(computed, &on()), Err(EditError::Computed(_))));
    let open = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\n";
    assert!(matches!(
        grub(open, &on()),
        Err(EditError::OpenQuote { line: 1, .. })
    ));
    assert_eq!(
        grub("A=\"x\"\r\n", &on()),
        Err(EditError::CarriageReturn(1))
    );
    assert_eq!(grub("A=\n\0", &on()), Err(EditError::ZeroBytes(2)));
    assert!(matches!(
        grub("", &[WordEdit::Word("a b".to_owned())]),
        Err(EditError::Word(_))
    ));
}

#[test]
fn a_file_that_is_sourced_later_and_sets_the_variable_anew_is_the_one_edited() {
    let files = vec![
        (
            grub::MAIN.to_owned(),
            b"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n".to_vec(),
        ),
        (
            "/etc/default/grub.d/own.cfg".to_owned(),
            b"GRUB_CMDLINE_LINUX_DEFAULT='splash'\n".to_vec(),
        ),
    ];
    let changed = grub::edit(&files, &on()).unwrap();
    let only: Vec<_> = changed.iter().collect();
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].0, "/etc/default/grub.d/own.cfg");
    assert_eq!(
        only[0].1,
        b"GRUB_CMDLINE_LINUX_DEFAULT='splash intel_iommu=on iommu=pt'\n"
    );
}

#[test]
fn items_that_are_taken_away_leave_no_gap() {
    let gone = [WordEdit::RemoveItem {
        name: "vfio-pci.ids".to_owned(),
        item: "10de:1b80".to_owned(),
    }];
    for (before, after) in [
        ("quiet vfio-pci.ids=10de:1b80 splash", "quiet splash"),
        ("vfio_pci.ids=10de:1b80 splash", "splash"),
        ("vfio_pci.ids=10de:1b80,10de:10f0", "vfio_pci.ids=10de:10f0"),
        ("vfio_pci.ids=10de:1b80", ""),
    ] {
        let file = |words: &str| format!("GRUB_CMDLINE_LINUX=\"{words}\"\n");
        assert_eq!(
            grub(&file(before), &gone).as_deref(),
            Ok(file(after).as_str()),
            "{before}"
        );
        let line = format!("root=/dev/sda1 {before}\n");
        let changed = kernel_cmdline::edit(line.as_bytes(), &gone).unwrap();
        let wanted = format!("root=/dev/sda1 {after}");
        assert_eq!(
            String::from_utf8(changed).unwrap(),
            format!("{}\n", wanted.trim_end())
        );
    }
}

#[test]
fn the_kernel_command_line_file_keeps_its_end() {
    for end in ["", "\n", "  \n", "\n\n"] {
        let changed = kernel_cmdline::edit(
            format!("root=ZFS=rpool/ROOT/pve-1 boot=zfs{end}").as_bytes(),
            &on(),
        );
        let wanted = format!("root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on iommu=pt{end}");
        assert_eq!(String::from_utf8(changed.unwrap()).unwrap(), wanted);
    }
    assert_eq!(
        kernel_cmdline::edit(b"root=a\nquiet\n", &on()),
        Err(EditError::ManyLines(2))
    );
    assert_eq!(
        kernel_cmdline::edit(b"quiet\n", &on()),
        Err(EditError::NoRoot)
    );
}

#[test]
fn ids_join_the_line_that_holds() {
    let file = b"# mine\noptions vfio-pci ids=10de:1b80 disable_vga=1 # why\nsoftdep nouveau pre: vfio-pci\n";
    let ids = ["10DE:1b80".to_owned(), "10de:10f0".to_owned()];
    let changed = modprobe::add_items(file, "vfio-pci", "ids", &ids).unwrap();
    assert_eq!(
        String::from_utf8(changed.clone()).unwrap(),
        "# mine\noptions vfio-pci ids=10de:1b80,10de:10f0 disable_vga=1 # why\nsoftdep nouveau pre: vfio-pci\n"
    );
    assert_eq!(modprobe::vfio_ids(&changed).len(), 2);
    let gone = modprobe::remove_items(&changed, "vfio_pci", "ids", &ids).unwrap();
    assert_eq!(
        String::from_utf8(gone).unwrap(),
        "# mine\noptions vfio-pci disable_vga=1 # why\nsoftdep nouveau pre: vfio-pci\n"
    );
    let alone = modprobe::remove_items(
        b"a\noptions vfio-pci ids=10de:1b80\nb",
        "vfio-pci",
        "ids",
        &ids,
    );
    assert_eq!(alone.unwrap(), b"a\nb");
    let new = modprobe::add_items(b"x", "vfio-pci", "ids", &ids).unwrap();
    assert_eq!(new, b"x\noptions vfio-pci ids=10DE:1b80,10de:10f0\n");
    for broken in [
        "options vfio-pci ids=\"10de:1b80\"\n",
        "options vfio-pci \\\n ids=10de:1b80\n",
    ] {
        assert!(
            modprobe::add_items(broken.as_bytes(), "vfio-pci", "ids", &ids).is_err(),
            "{broken}"
        );
    }
}

#[test]
fn a_line_or_an_option_is_written_once() {
    let file = modprobe::add_line(
        b"softdep  nouveau pre: vfio_pci\n",
        "softdep nouveau pre: vfio-pci",
    )
    .unwrap();
    assert_eq!(file, b"softdep  nouveau pre: vfio_pci\n");
    let set = modprobe::set_option(
        b"options vfio_pci disable_vga=0\n",
        "vfio-pci",
        "disable_vga",
        "1",
    );
    assert_eq!(set.unwrap(), b"options vfio_pci disable_vga=1\n");
}

#[test]
fn vfio_comes_before_the_drivers_that_would_take_the_card() {
    let vfio = ["vfio", "vfio_pci"];
    let list = |text: &str| {
        let changed = module_list::add(text.as_bytes(), &vfio, &["nouveau", "i915"]).unwrap();
        String::from_utf8(changed).unwrap()
    };
    assert_eq!(list("# c\nloop\n"), "# c\nloop\nvfio\nvfio_pci\n");
    assert_eq!(
        list("loop\ni915 # c\nsg"),
        "loop\nvfio\nvfio_pci\ni915 # c\nsg"
    );
    assert_eq!(
        list("i915\nvfio-pci ids=1:2\nvfio\n"),
        "vfio\nvfio-pci ids=1:2\ni915\n"
    );
    assert_eq!(list("vfio\nvfio-pci\ni915\n"), "vfio\nvfio-pci\ni915\n");
    let gone = module_list::remove(b"vfio\nvfio_virqfd\nloop", &["vfio_virqfd"]).unwrap();
    assert_eq!(gone, b"vfio\nloop");
}

#[test]
fn a_sysfs_attribute_is_set_wherever_it_stands_and_not_added() {
    let set = |text: &str| {
        let bytes = sysfs::set(text.as_bytes(), |attribute| attribute == "a/b", "4").unwrap();
        String::from_utf8(bytes).unwrap()
    };
    for none in ["", "# a/b = 1\n", "a/c = 1\na/b\n"] {
        assert_eq!(set(none), none);
    }
    assert_eq!(set("a/b =  2 \nc = 1"), "a/b =  4 \nc = 1");
    assert_eq!(set("a/b=1\na/b=\na/b = 2\n"), "a/b=4\na/b=4\na/b = 4\n");
}

#[test]
fn a_rule_of_udev_is_set_in_its_place() {
    let mut function = hardware::Function::unknown("0000:03:00.0".parse().unwrap(), "not read");
    function.id = "8086:10c9".parse().unwrap();
    let set = |text: &str, count: &str| {
        let bytes = udev::set(text.as_bytes(), &function, "sriov_numvfs", count);
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let rule = "ACTION==\"add|bind\", SUBSYSTEM==\"pci\", KERNEL==\"0000:03:00.0\", DRIVER==\"?*\", \
                ATTR{vendor}==\"0x8086\", ATTR{device}==\"0x10c9\", ATTR{sriov_numvfs}=\"4\"";
    let others = "# mine\nKERNEL==\"0000:03:00.0\", ATTR{power/control}=\"on\"\n";
    let both = format!("{others}{rule}\n");
    assert_eq!(set(others, "4").unwrap(), both);
    assert_eq!(set(&both, "7").unwrap(), both.replace("\"4\"", "\"7\""));
    let twice = format!("{rule}\n{rule}\n");
    assert!(matches!(set(&twice, "4"), Err(EditError::Twice(_))));
    assert_eq!(set("a, \\\nb\n", "4"), Err(EditError::Continued(1)));
}

const GUEST: &str = "#my guest\nbios: ovmf\nhostpci0: 01:00,pcie=1\nmemory: 512\n\n[PENDING]\nmachine: q35\ndelete: hostpci2\n\n[snap]\nhostpci1: 02:00\n";

#[test]
fn a_guests_main_part_alone_is_edited() {
    let mut file = guest::GuestFile::parse(GUEST.as_bytes()).unwrap();
    assert_eq!(file.free_device(), Ok(1));
    file.set("hostpci1", "0000:03:00,pcie=1").unwrap();
    file.set("bios", "seabios").unwrap();
    file.set("vga", "none").unwrap();
    let text = String::from_utf8(file.print()).unwrap();
    assert_eq!(
        text,
        "#my guest\nbios: seabios\nhostpci0: 01:00,pcie=1\nhostpci1: 0000:03:00,pcie=1\nmemory: 512\nvga: none\n\n[PENDING]\nmachine: q35\ndelete: hostpci2\n\n[snap]\nhostpci1: 02:00\n"
    );
    assert_eq!(file.free_device(), Ok(3));
    assert_eq!(
        file.set("machine", "q35"),
        Err(EditError::Pending("machine".to_owned()))
    );
}

#[test]
fn a_guest_that_is_locked_or_says_a_key_twice_is_refused() {
    let locked = guest::GuestFile::parse(b"lock: backup\n");
    assert!(matches!(locked, Err(EditError::Locked(lock)) if lock == "backup"));
    let mut twice = guest::GuestFile::parse(b"vga: std\nvga: none\n").unwrap();
    assert_eq!(
        twice.set("vga", "none"),
        Err(EditError::Twice("vga".to_owned()))
    );
    let many: String = (0..16)
        .map(|index| format!("hostpci{index}: 01:00\n"))
        .collect();
    let full = guest::GuestFile::parse(many.as_bytes()).unwrap();
    assert_eq!(full.free_device(), Err(EditError::NoIndex));
}
