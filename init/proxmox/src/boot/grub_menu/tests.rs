use proptest::prelude::*;

use super::*;

/// The parts of what grub-mkconfig 2.06 writes that decide what starts (util/grub.d/00_header.in and
/// 10_linux.in), for two kernels.
const MKCONFIG: &str = r#"
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}
menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple-1234' {
	load_video
	insmod gzio
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	search --no-floppy --fs-uuid --set=root 1234
	echo	'Loading Linux 6.8.12-2-pve ...'
	linux	/boot/vmlinuz-6.8.12-2-pve root=/dev/mapper/pve-root ro  quiet intel_iommu=on
	echo	'Loading initial ramdisk ...'
	initrd	/boot/initrd.img-6.8.12-2-pve
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-1234' {
	menuentry 'Debian GNU/Linux, with Linux 6.8.12-2-pve' --class os $menuentry_id_option 'gnulinux-6.8.12-2-pve-advanced-1234' {
		linux	/boot/vmlinuz-6.8.12-2-pve root=/dev/mapper/pve-root ro  quiet intel_iommu=on
		initrd	/boot/early.cpio /boot/initrd.img-6.8.12-2-pve
	}
	menuentry 'Debian GNU/Linux, with Linux 6.5.13-1-pve' --class os $menuentry_id_option 'gnulinux-6.5.13-1-pve-advanced-1234' {
		linux	($root)/boot/vmlinuz-6.5.13-1-pve root=/dev/mapper/pve-root ro  quiet
		initrd	/boot/initrd.img-6.5.13-1-pve
	}
}
"#;

fn kernel(default: &str, environment: &[(&str, &str)]) -> String {
    let text = MKCONFIG.replace("DEFAULT", default);
    let environment: BTreeMap<String, String> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let menu = GrubMenu::parse(&text, Some(&environment), "efi");
    assert!(menu.certain);
    let (_, entry) = menu.starts().unwrap();
    entry.linux.as_ref().unwrap().kernel.clone()
}

#[test]
fn the_first_entry_starts_by_default_with_its_command_line() {
    let menu = GrubMenu::parse(&MKCONFIG.replace("DEFAULT", "0"), None, "pc");
    let (titles, entry) = menu.starts().unwrap();
    assert_eq!(titles, ["Debian GNU/Linux"]);
    assert_eq!(entry.id.as_deref(), Some("gnulinux-simple-1234"));
    let linux = entry.linux.as_ref().unwrap();
    assert_eq!(
        linux.command_line.as_str(),
        "root=/dev/mapper/pve-root ro quiet intel_iommu=on"
    );
    assert_eq!(linux.initrds, ["/boot/initrd.img-6.8.12-2-pve"]);
    assert_eq!(linux.line, 30);
    assert_eq!(menu.linuxes().len(), 3);
}

#[test]
fn a_default_goes_into_submenus_by_number_title_and_id() {
    let old = "/boot/vmlinuz-6.5.13-1-pve";
    assert_eq!(kernel("1>1", &[]), old);
    let by_id = "gnulinux-advanced-1234>gnulinux-6.5.13-1-pve-advanced-1234";
    assert_eq!(kernel(by_id, &[]), old);
    let by_title =
        "Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.5.13-1-pve";
    assert_eq!(kernel(by_title, &[]), old);
}

#[test]
fn a_default_that_names_nothing_is_the_first_entry() {
    assert_eq!(kernel("gone>away", &[]), "/boot/vmlinuz-6.8.12-2-pve");
    assert_eq!(kernel("7", &[]), "/boot/vmlinuz-6.8.12-2-pve");
}

#[test]
fn a_saved_entry_holds_and_a_next_entry_goes_before_it() {
    let old = "/boot/vmlinuz-6.5.13-1-pve";
    assert_eq!(kernel("${saved_entry}", &[("saved_entry", "1>1")]), old);
    assert_eq!(kernel("0", &[("next_entry", "1>1")]), old);
    assert_eq!(kernel("1>1", &[("next_entry", "")]), old);
}

#[test]
fn a_default_under_a_condition_that_only_grub_can_judge_is_not_certain() {
    let text =
        "set default=0\nif keystatus --shift; then set default=1; fi\nmenuentry a {\n linux /a\n}";
    assert!(!GrubMenu::parse(text, None, "pc").certain);
}

#[test]
fn blocks_in_blocks_without_end_are_read() {
    let text = "menuentry a {\n".repeat(20_000) + &"if x; then\n".repeat(20_000);
    let menu = GrubMenu::parse(&text, None, "pc");
    assert_eq!(menu.entries.len(), 1);
}

/// `a` is as long as a word can be.
fn doubled() -> String {
    format!("set a=0123456789abcdef\n{}", "set a=$a$a\n".repeat(20))
}

#[test]
fn a_word_of_many_variables_is_cut() {
    let text = format!(
        "{}menuentry x{} {{\n true\n}}\n",
        doubled(),
        "$a".repeat(40)
    );
    let menu = GrubMenu::parse(&text, None, "pc");
    assert_eq!(menu.entries[0].title.len(), 64 << 10);
    assert!(menu.certain);
}

#[test]
fn a_menu_that_grows_without_end_is_cut_and_its_default_is_not_certain() {
    let entries = "menuentry $a {\n linux /vmlinuz $a $a $a $a\n}\n".repeat(1000);
    let menu = GrubMenu::parse(
        &format!("set default=0\n{}{entries}", doubled()),
        None,
        "pc",
    );
    let made = menu
        .linuxes()
        .into_iter()
        .map(|(entry, linux)| entry.title.len() + linux.command_line.as_str().len());
    assert!(made.sum::<usize>() <= 16 << 20);
    assert!(!menu.certain);
}

#[test]
fn what_stands_far_behind_is_left_out_and_the_default_is_not_certain() {
    let text = format!(
        "menuentry a {{\n}}\n#{}\nmenuentry b {{\n}}\n",
        "x".repeat(1 << 20)
    );
    let menu = GrubMenu::parse(&text, None, "pc");
    assert_eq!(menu.entries.len(), 1);
    assert!(!menu.certain);
}

#[test]
fn more_entries_than_any_host_has_are_left_out_and_the_default_is_not_certain() {
    let menu = GrubMenu::parse(&"menuentry a {\n}\n".repeat(5000), None, "pc");
    assert_eq!(menu.entries.len(), 4096);
    assert!(!menu.certain);
}

#[test]
fn what_an_entry_sets_ends_with_it_and_outer_settings_come_back() {
    let text = "set a=1\nsubmenu s {\n set a=2\n menuentry e {\n  unset a\n  set a=3\n  set b=4\n  linux /k $a$b\n }\n \
                menuentry f {\n  linux /k $a$b\n }\n}\nmenuentry g {\n linux /k $a$b\n}\n";
    let menu = GrubMenu::parse(text, None, "pc");
    let lines: Vec<&str> = menu
        .linuxes()
        .iter()
        .map(|(_, linux)| linux.command_line.as_str())
        .collect();
    assert_eq!(lines, ["34", "2", "1"]);
}

#[test]
fn a_condition_may_negate_more_often_than_a_stack_is_deep() {
    let text = format!(
        "if [ {}-n \"\" ]; then\n set default=7\nfi\n",
        "! ".repeat(400_001)
    );
    assert_eq!(GrubMenu::parse(&text, None, "pc").default, "7");
}

proptest! {
    #[test]
    fn any_text_is_run(text in "(?s).{0,200}") {
        let _ = GrubMenu::parse(&text, None, "pc").starts();
    }

    #[test]
    fn anything_like_a_menu_is_run(
        words in proptest::collection::vec(
            prop::sample::select(vec![
                "menuentry", "submenu", "'a'", "\"$x", "{", "}", "if", "[", "]", "then", "else", "elif", "fi",
                "function", "\n", ";", "set", "default=1>0", "linux", "/vmlinuz", "initrd", "${", "load_env",
            ]),
            0..60,
        )
    ) {
        let menu = GrubMenu::parse(&words.join(" "), None, "pc");
        let _ = (menu.starts(), menu.linuxes());
    }
}
