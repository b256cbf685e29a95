//! Cases by PROPTEST_CASES; `make soak` runs 100,000 of each.

use proptest::prelude::*;

use super::*;

/// Lines as they stand in such files, sound and broken, and bytes of anything.
fn shell() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        "\"[a-z =,.:\\\\$#\t]{0,20}\"",
        "'[a-z =,.:\\\\$#\"\t]{0,20}'",
        "[a-z=,.:\\\\]{0,10}",
        Just("\"quiet intel_iommu=off\"".to_owned()),
        Just("'quiet iommu=soft,pt'".to_owned()),
        Just("\"$GRUB_CMDLINE_LINUX_DEFAULT splash\"".to_owned()),
        Just("\"${GRUB_CMDLINE_LINUX} a\"'b c'".to_owned()),
        Just("\"a \\\n intel_iommu=sm_on\"".to_owned()),
        Just("`cat x`".to_owned()),
        Just("$(echo \"a b\")".to_owned()),
        Just("quiet\\ splash\"".to_owned()),
    ];
    let name = prop_oneof![
        5 => Just("GRUB_CMDLINE_LINUX_DEFAULT"),
        3 => Just("GRUB_CMDLINE_LINUX"),
        1 => Just("#GRUB_CMDLINE_LINUX_DEFAULT"),
        1 => Just("GRUB_TIMEOUT"),
    ];
    let line = prop_oneof![
        12 => (name, value).prop_map(|(name, value)| format!("{name}={value}").into_bytes()),
        1 => Just(b"if true; then".to_vec()),
        1 => Just(b"fi".to_vec()),
        1 => Just(b". /etc/other".to_vec()),
        1 => Just("# \u{e4}\u{f6} \u{4e2d}".as_bytes().to_vec()),
        1 => any_bytes(12),
    ];
    (proptest::collection::vec(line, 0..6), any::<bool>()).prop_map(|(lines, ends)| {
        let mut text = lines.join(&b'\n');
        if ends {
            text.push(b'\n');
        }
        text
    })
}

fn any_bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

/// Lines of modprobe.d, module lists, sysfs.conf and guests, and bytes of anything.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "options vfio-pci ids=10de:1b80,1002:67df disable_vga=1",
        "options vfio_pci ids=",
        "options vfio-pci",
        "options vfio-pci ids=10DE:10F0",
        "softdep nouveau pre: vfio-pci",
        "blacklist nouveau # c",
        "vfio-pci",
        "  vfio # x",
        "i915",
        "a/b = 3",
        "a/b=4",
        "hostpci0: 01:00,pcie=1",
        "machine: q35",
        "vga:none",
        "[PENDING]",
        "[snap]",
        "#x",
        "",
    ];
    let line = prop_oneof![
        6 => proptest::sample::select(known.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
        1 => any_bytes(16),
    ];
    (proptest::collection::vec(line, 0..8), any::<bool>()).prop_map(|(lines, ends)| {
        let mut text = lines.join(&b'\n');
        if ends {
            text.push(b'\n');
        }
        text
    })
}

fn edits() -> impl Strategy<Value = Vec<WordEdit>> {
    let edit = prop_oneof![
        Just(WordEdit::item_instead("intel_iommu", "on", &["off"])),
        Just(WordEdit::item_instead(
            "iommu",
            "pt",
            &["off", "nopt", "soft"]
        )),
        Just(WordEdit::Word("video=efifb:off".to_owned())),
        Just(WordEdit::item("initcall_blacklist", "sysfb_init")),
    ];
    let gone = WordEdit::RemoveItem {
        name: "iommu".to_owned(),
        item: "pt".to_owned(),
    };
    prop_oneof![
        4 => proptest::collection::vec(edit, 1..4),
        1 => Just(vec![gone]),
    ]
}

/// Edited twice is edited once, and the way back brings the bytes back.
fn holds(
    before: &[u8],
    edit: impl Fn(&[u8]) -> Result<Vec<u8>, EditError>,
) -> Result<(), TestCaseError> {
    let Ok(after) = edit(before) else {
        return Ok(());
    };
    prop_assert_eq!(edit(&after), Ok(after.clone()));
    undone(before, &after)
}

fn undone(before: &[u8], after: &[u8]) -> Result<(), TestCaseError> {
    let patch = Patch::between(before, after);
    prop_assert_eq!(patch.apply(before), Ok(after.to_vec()));
    prop_assert_eq!(patch.inverse().apply(after), Ok(before.to_vec()));
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_printed_as_they_were_read(bytes in any_bytes(200)) {
        let source = Source::parse(&bytes);
        prop_assert_eq!(source.print(), bytes.clone());
        let joined: Vec<&str> = source.lines().map(|line| &source.text()[line.span()]).collect();
        let text = source.text();
        prop_assert_eq!(joined.join("\n"), text.strip_suffix('\n').unwrap_or(text));
    }

    #[test]
    fn grub_files_are_edited_once_and_change_their_own_words_alone(
        main in shell(), later in shell(), edits in edits(),
    ) {
        let files = vec![
            (grub::MAIN.to_owned(), main),
            ("/etc/default/grub.d/later.cfg".to_owned(), later),
        ];
        if let Ok(changed) = grub::edit(&files, &edits) {
            let after = merged(&files, &changed);
            prop_assert_eq!(grub::edit(&after, &edits).map(|again| again.len()), Ok(0));
            for (path, bytes) in &files {
                let now = changed.get(path).unwrap_or(bytes);
                undone(bytes, now)?;
            }
            // What the edits do to the words of the command line, and nothing else.
            if let (Some(before), Some(now)) = (grub::words(&files), grub::words(&after)) {
                let mut wanted = before;
                for edit in &edits {
                    wanted = edit.changes(&wanted).unwrap().apply(&wanted);
                }
                let sorted = |mut words: Vec<String>| { words.sort(); words };
                prop_assert_eq!(sorted(now), sorted(wanted));
            }
        }
    }

    #[test]
    fn command_line_files_are_edited_once(start in "[ \t]{0,2}root=[a-z/]{1,5}", rest in any_bytes(40), edits in edits()) {
        let mut file = start.into_bytes();
        file.extend(rest);
        holds(&file, |file| kernel_cmdline::edit(file, &edits))?;
    }

    #[test]
    fn modprobe_files_are_edited_once(file in lines()) {
        let ids = ["10de:1b80".to_owned(), "10de:10f0".to_owned()];
        holds(&file, |file| modprobe::add_items(file, "vfio-pci", "ids", &ids))?;
        holds(&file, |file| modprobe::remove_items(file, "vfio-pci", "ids", &ids))?;
        holds(&file, |file| modprobe::set_option(file, "vfio-pci", "disable_vga", "0"))?;
        holds(&file, |file| modprobe::add_line(file, "softdep nouveau pre: vfio-pci"))?;
        if let Ok(after) = modprobe::add_items(&file, "vfio-pci", "ids", &ids) {
            let held = modprobe::vfio_ids(&after);
            prop_assert!(ids.iter().all(|id| held.contains(&id.parse().unwrap())));
        }
    }

    #[test]
    fn module_lists_are_edited_once(file in lines()) {
        let modules = ["vfio", "vfio_iommu_type1", "vfio_pci"];
        holds(&file, |file| module_list::add(file, &modules, &["i915", "nouveau"]))?;
        holds(&file, |file| module_list::remove(file, &modules))?;
    }

    #[test]
    fn sysfs_files_are_edited_once(file in lines()) {
        holds(&file, |file| sysfs::set(file, |attribute| attribute.contains("numvfs"), "4"))?;
    }

    #[test]
    fn udev_rules_are_edited_once(file in lines()) {
        let function = hardware::Function::unknown(crate::testing::address("0000:03:00.0"), "not read");
        holds(&file, |file| udev::set(file, &function, "a", "4"))?;
    }

    #[test]
    fn guests_are_edited_once_and_their_sections_stay(file in lines()) {
        let edit = |file: &[u8]| {
            let mut guest = guest::GuestFile::parse(file)?;
            guest.set("machine", "q35")?;
            guest.set("hostpci1", "0000:02:00,pcie=1")?;
            guest.set("vga", "none")?;
            Ok(guest.print())
        };
        holds(&file, edit)?;
        if let Ok(after) = edit(&file) {
            let sections = |file: &[u8]| {
                let at = file.split_inclusive(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"["));
                let main: usize = at.map(<[u8]>::len).sum();
                file[main..].to_vec()
            };
            prop_assert_eq!(sections(&after), sections(&file));
        }
    }
}

fn merged(
    files: &grub::Files,
    changed: &std::collections::BTreeMap<String, Vec<u8>>,
) -> grub::Files {
    let mut after = files.clone();
    for (path, bytes) in changed {
        match after.iter_mut().find(|(other, _)| other == path) {
            Some((_, old)) => bytes.clone_into(old),
            None => after.push((path.clone(), bytes.clone())),
        }
    }
    after
}
