//! The boot menu: its entries as values, and the way they are written for GRUB and iPXE.

mod ipxe;

pub use ipxe::{INITRAMFS_FILE, KERNEL_FILE, SCRIPT_FILE};

const MENU: &str = include_str!("../../boot-assets/boot-menu.list");
const GRUB_HEAD: &str = include_str!("../../boot-assets/grub.cfg");

/// Where the kernel lies on every medium.
pub const KERNEL: &str = "boot/vmlinuz";
/// Where the initramfs lies on every medium.
pub const INITRAMFS: &str = "boot/initramfs.img";
/// Where GRUB's files lie on every medium.
pub const GRUB_FOLDER: &str = "boot/grub";
/// Its configuration.
pub const GRUB_CONFIG: &str = "boot/grub/grub.cfg";

/// One line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuEntry {
    /// Its name for programs: letters, digits and dashes.
    pub id: String,
    /// What a person reads.
    pub title: String,
    /// The kernel's command line, word by word.
    pub options: Vec<String>,
}

/// The menu that every medium shows. The first entry starts by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootMenu {
    /// From top to bottom; at least one.
    pub entries: Vec<MenuEntry>,
}

/// How a build of GRUB for UEFI calls what starts a kernel by its EFI stub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EfiCommands {
    /// `linuxefi` and `initrdefi`: Debian's GRUB 2.06, whose `linux` takes another way.
    OfTheirOwn,
    /// `linux` and `initrd`: GRUB 2.12, which knows no other way.
    Plain,
}

impl EfiCommands {
    /// Those of this program. Commands stand in it by their names.
    pub fn of(grub: &[u8]) -> Self {
        let name = b"\0linuxefi\0";
        if grub.windows(name.len()).any(|bytes| bytes == name) {
            Self::OfTheirOwn
        } else {
            Self::Plain
        }
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::OfTheirOwn => ("linuxefi", "initrdefi"),
            Self::Plain => ("linux", "initrd"),
        }
    }
}

/// A menu that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MenuError {
    /// A line that is neither an entry nor options.
    #[error("the boot menu has the line '{0}'; an entry is written '[id] Title'")]
    Line(String),
    /// There is no entry.
    #[error("the boot menu has no entry")]
    Empty,
    /// GRUB has no way to write it.
    #[error(
        "'{0}' cannot stand in a boot menu: no word there is empty or has a quotation mark, a backslash, a line end \
         or another control character, and an option has no white space"
    )]
    Word(String),
    /// It means something else to iPXE.
    #[error(
        "'{0}' cannot stand in a script for iPXE: a word there is not empty, begins with no #, has no ${{ and no \
         white space, and is none of && || ;"
    )]
    Ipxe(String),
}

impl BootMenu {
    /// The menu in boot-assets, with these words behind the options of every entry.
    pub fn standard(more_options: &[String]) -> Result<Self, MenuError> {
        // GRUB would give it as one word in quotation marks, and a unified kernel image as several.
        let mut words = more_options.iter();
        if let Some(word) =
            words.find(|word| quoted(word).is_err() || word.contains(char::is_whitespace))
        {
            return Err(MenuError::Word(word.clone()));
        }
        let mut menu = Self::parse(MENU)?;
        for entry in &mut menu.entries {
            entry.options.extend(more_options.iter().cloned());
        }
        Ok(menu)
    }

    /// Reads the format that boot-assets/boot-menu.list explains.
    pub fn parse(text: &str) -> Result<Self, MenuError> {
        let mut common = Vec::new();
        let mut entries: Vec<MenuEntry> = Vec::new();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(rest) = line.strip_prefix('[') {
                let wrong = || MenuError::Line(line.to_owned());
                let (id, title) = rest.split_once("] ").ok_or_else(wrong)?;
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
                if id.is_empty() || !id.chars().all(plain) {
                    return Err(wrong());
                }
                entries.push(MenuEntry {
                    id: id.to_owned(),
                    title: title.trim().to_owned(),
                    options: common.clone(),
                });
                continue;
            }
            let words = line.split_whitespace().map(str::to_owned);
            match entries.last_mut() {
                Some(entry) => entry.options.extend(words),
                None => common.extend(words),
            }
        }
        if entries.is_empty() {
            return Err(MenuError::Empty);
        }
        Ok(Self { entries })
    }

    /// The configuration file for GRUB, see [`GRUB_CONFIG`].
    pub fn grub_config(&self, on_efi: EfiCommands) -> Result<String, MenuError> {
        let (kernel, ramdisk) = on_efi.names();
        let mut text = format!("set efi_kernel={kernel}\nset efi_ramdisk={ramdisk}\n\n{GRUB_HEAD}");
        for entry in &self.entries {
            let words = entry.options.iter().map(|word| quoted(word));
            let options = words.collect::<Result<Vec<_>, _>>()?.join(" ");
            text.push_str(&format!(
                "\nmenuentry {} --id {} {{\n    $kernel /{KERNEL} $stick {options}\n    $ramdisk /{INITRAMFS}\n}}\n",
                quoted(&entry.title)?,
                entry.id,
            ));
        }
        Ok(text)
    }
}

/// A word for GRUB's shell. Between single quotes nothing has a meaning but the quote itself, which the
/// kernel does not know either.
fn quoted(word: &str) -> Result<String, MenuError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "=._,:/@+-".contains(c);
    if word.chars().any(|c| "'\"\\".contains(c) || c.is_control()) || word.is_empty() {
        return Err(MenuError::Word(word.to_owned()));
    }
    if word.chars().all(plain) {
        return Ok(word.to_owned());
    }
    Ok(format!("'{word}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_menu_has_four_entries_and_assess_starts_by_itself() {
        let menu = BootMenu::standard(&[]).unwrap();
        let ids: Vec<_> = menu.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["assess", "pristine", "iommu-off", "rescue"]);
        for entry in &menu.entries {
            let consoles = entry
                .options
                .iter()
                .filter(|word| word.starts_with("console="));
            assert_eq!(consoles.count(), 2, "{entry:?}");
            let modes = entry
                .options
                .iter()
                .filter(|word| word.starts_with("preflight.mode="));
            assert_eq!(modes.count(), 1, "{entry:?}");
        }
    }

    #[test]
    fn added_options_stand_last_in_every_entry() {
        let menu = BootMenu::standard(&["preflight.end=poweroff".to_owned()]).unwrap();
        let config = menu.grub_config(EfiCommands::Plain).unwrap();
        let lines = config
            .lines()
            .filter(|line| line.contains("$kernel /boot/vmlinuz"));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 4);
        for line in lines {
            assert!(line.ends_with(" preflight.end=poweroff"), "{line}");
        }
    }

    #[test]
    fn a_word_with_a_meaning_for_grub_is_quoted_and_one_that_cannot_be_is_refused() {
        assert_eq!(quoted("dyndbg=$x;y").unwrap(), "'dyndbg=$x;y'");
        for word in ["it's", "a\"b", "a\nb", "a\\b", ""] {
            assert!(quoted(word).is_err(), "{word:?}");
            assert!(BootMenu::standard(&[word.to_owned()]).is_err(), "{word:?}");
        }
        let two = BootMenu::standard(&["a=1 b=2".to_owned()]).unwrap_err();
        assert!(two.to_string().contains("has no white space"), "{two}");
    }

    #[test]
    fn a_broken_entry_is_named() {
        let error = BootMenu::parse("[assess Look\n").unwrap_err().to_string();
        assert!(error.contains("[assess Look"), "{error}");
        assert!(matches!(BootMenu::parse("# none\n"), Err(MenuError::Empty)));
    }

    #[test]
    fn nothing_is_remembered_between_boots() {
        let config = BootMenu::standard(&[]).unwrap();
        let config = config.grub_config(EfiCommands::OfTheirOwn).unwrap();
        for word in ["save_env", "load_env", "savedefault", "saved_entry"] {
            assert!(!config.contains(word), "{word}");
        }
    }

    #[test]
    fn the_first_entry_starts_after_five_seconds_in_which_the_menu_is_seen() {
        let config = BootMenu::standard(&[]).unwrap();
        let config = config.grub_config(EfiCommands::OfTheirOwn).unwrap();
        for line in ["set timeout=5", "set timeout_style=menu", "set default=0"] {
            assert_eq!(config.lines().filter(|&it| it == line).count(), 1, "{line}");
        }
    }
}
