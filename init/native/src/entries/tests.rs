use plan::edit::WordEdit;
use proptest::prelude::*;
use proxmox::boot::grub_menu::GrubMenu;
use proxmox::boot::loader_entries::LoaderEntry;

use super::*;

/// As grub-mkconfig 2.06 wrote it on a host with three kernels.
const MENU: &str = include_str!("../../../proxmox/tests/data/grub-mkconfig-2.06.cfg");
const ENTRY: &str = "title    Proxmox Virtual Environment\nversion  6.8.12-2-pve\noptions   root=ZFS=rpool/ROOT/pve-1 boot=zfs\nlinux    /EFI/proxmox/6.8.12-2-pve/vmlinuz-6.8.12-2-pve\ninitrd   /EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve\n";

fn edits() -> Vec<WordEdit> {
    vec![
        WordEdit::item_instead("iommu", "pt", &["off", "nopt", "soft"]),
        WordEdit::RemoveItem {
            name: "intel_iommu".to_owned(),
            item: "on".to_owned(),
        },
        WordEdit::Word("video=efifb:off".to_owned()),
    ]
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The lines of one text that the other has not, in order.
fn changed<'a>(before: &str, after: &'a str) -> Vec<&'a str> {
    assert_eq!(before.lines().count(), after.lines().count());
    let lines = before.lines().zip(after.lines());
    lines
        .filter(|(old, new)| old != new)
        .map(|(_, new)| new)
        .collect()
}

#[test]
fn every_ordinary_entry_of_a_real_menu_gets_the_words_and_nothing_else_changes() {
    let after = grub_cfg(MENU.as_bytes(), &edits()).unwrap();
    let lines = changed(MENU, text(&after));
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for line in lines {
        assert!(
            line.ends_with("root=/dev/mapper/pve-root ro  quiet iommu=pt video=efifb:off"),
            "{line}"
        );
    }
    let menu = GrubMenu::parse(text(&after), None, "pc");
    let recovery = menu
        .linuxes()
        .into_iter()
        .filter(|(_, linux)| linux.command_line.has("single"));
    assert!(
        recovery
            .into_iter()
            .all(|(_, linux)| !linux.command_line.has("iommu"))
    );
}

#[test]
fn words_in_quotes_are_kept_and_one_that_would_have_to_change_is_refused() {
    let menu = |words: &str| {
        format!(
            "menuentry 'a' {{\n\tlinux /vmlinuz-6.1 root=/dev/sda1 {words} # why\n\tinitrd /initrd.img-6.1\n}}\n"
        )
    };
    let after = grub_cfg(menu("'dyndbg=file a.c +p' \"x y\"").as_bytes(), &edits()).unwrap();
    assert_eq!(
        text(&after),
        menu("'dyndbg=file a.c +p' \"x y\" iommu=pt video=efifb:off")
    );
    let refused = grub_cfg(menu("'iommu=off' quiet").as_bytes(), &edits());
    assert!(
        matches!(refused, Err(EntryError::Line { line: 2, .. })),
        "{refused:?}"
    );
    let refused = grub_cfg(menu("io\\\nmmu=off").as_bytes(), &edits());
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn a_command_over_two_lines_is_one_command() {
    let menu = "menuentry 'a' {\n\tlinux /vmlinuz-6.1 root=/dev/sda1 \\\n\t\tintel_iommu=on quiet; echo on\n}\n";
    let after = grub_cfg(menu.as_bytes(), &edits()).unwrap();
    assert_eq!(
        text(&after),
        "menuentry 'a' {\n\tlinux /vmlinuz-6.1 root=/dev/sda1 \\ quiet iommu=pt video=efifb:off; echo on\n}\n".replace("\\ quiet", "\\\n quiet")
    );
}

#[test]
fn a_word_that_a_variable_brings_back_is_refused() {
    let menu = "extra=iommu=off\nmenuentry 'a' {\n\tlinux /vmlinuz-6.1 root=/dev/sda1 $extra\n}\n";
    assert_eq!(
        grub_cfg(menu.as_bytes(), &edits()),
        Err(EntryError::Elsewhere {
            line: 3,
            word: "iommu=pt".to_owned()
        })
    );
}

#[test]
fn a_menu_without_the_systems_kernels_is_refused() {
    let menu = "menuentry 'Memory test' {\n\tlinux /boot/memtest86+x64.bin\n}\n";
    assert_eq!(
        grub_cfg(menu.as_bytes(), &edits()),
        Err(EntryError::NoEntries)
    );
    assert_eq!(grub_cfg(b"", &edits()), Err(EntryError::NoEntries));
}

#[test]
fn the_options_of_a_loader_entry_get_the_words_and_nothing_else_changes() {
    let after = loader_entry(ENTRY.as_bytes(), &edits()).unwrap();
    let line = "options   root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt video=efifb:off";
    assert_eq!(changed(ENTRY, text(&after)), [line]);
}

#[test]
fn several_lines_of_options_are_one_command_line() {
    let entry =
        "options root=/dev/sda2 iommu=off\n# options iommu=soft\noptions intel_iommu=on quiet  \n";
    let after = loader_entry(entry.as_bytes(), &edits()).unwrap();
    assert_eq!(
        text(&after),
        "options root=/dev/sda2 iommu=pt\n# options iommu=soft\noptions quiet video=efifb:off  \n"
    );
}

#[test]
fn an_entry_without_options_is_refused() {
    assert_eq!(
        loader_entry(b"title a\noptionsx b\noptions  \n", &edits()),
        Err(EntryError::NoOptions)
    );
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "quiet",
        "iommu=off",
        "iommu=pt,soft",
        "intel_iommu=on",
        "intel_iommu=on,sm_on",
        "video=efifb:off",
        "a=b",
        "'x y'",
        "\"z\"",
        "\\;",
        "é",
    ]);
    prop::collection::vec((word, " {1,3}"), 0..6).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, gap)| format!("{gap}{word}"))
            .collect()
    })
}

proptest! {
    #[test]
    fn without_edits_every_byte_stays(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let entry = [b"options a\n# ", bytes.as_slice()].concat();
        let menu = [MENU.as_bytes(), b"# ", bytes.as_slice()].concat();
        if let Ok(after) = loader_entry(&entry, &[]) {
            prop_assert_eq!(&after, &entry);
        }
        if let Ok(after) = grub_cfg(&menu, &[]) {
            prop_assert_eq!(&after, &menu);
        }
    }

    #[test]
    fn any_text_is_edited_or_refused(text in "(?s).{0,120}") {
        let _ = loader_entry(text.as_bytes(), &edits());
        let _ = grub_cfg(format!("menuentry a {{\nlinux /vmlinuz-1 {text}\n}}").as_bytes(), &edits());
    }

    #[test]
    fn a_menu_edited_twice_is_one_edited_once(words in words(), behind in words()) {
        let menu = format!("set a=1 # x\nmenuentry 'a' {{\n\tlinux\t/vmlinuz-6.1 root=/dev/sda1{words}\n\techo{behind}\n}}\n");
        if let Ok(once) = grub_cfg(menu.as_bytes(), &edits()) {
            prop_assert_eq!(changed(&menu, text(&once)).len() <= 1, true);
            prop_assert_eq!(&grub_cfg(&once, &edits()).unwrap(), &once);
            let menu = GrubMenu::parse(text(&once), None, "efi");
            let line = &menu.linuxes()[0].1.command_line;
            prop_assert!(line.values("iommu").all(|value| value == "pt"));
            prop_assert!(line.values("intel_iommu").all(|value| value != "on"));
        }
    }

    #[test]
    fn an_entry_edited_twice_is_one_edited_once(words in words(), behind in ".{0,20}") {
        let entry = format!("title {behind}\noptions root=/dev/sda1{words}\nlinux /vmlinuz\n");
        if let Ok(once) = loader_entry(entry.as_bytes(), &edits()) {
            prop_assert_eq!(changed(&entry, text(&once)).len() <= 1, true);
            prop_assert_eq!(&loader_entry(&once, &edits()).unwrap(), &once);
            let line = LoaderEntry::parse("a.conf", text(&once)).options;
            prop_assert!(edits().iter().all(|edit| edit.is_done(&line).unwrap()));
        }
    }
}
