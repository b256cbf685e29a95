use super::{BootMenu, MenuError};

/// Name of the kernel beside the script.
pub const KERNEL_FILE: &str = "vmlinuz";
/// Name of the initramfs beside the script.
pub const INITRAMFS_FILE: &str = "initramfs.img";
/// Name of the script.
pub const SCRIPT_FILE: &str = "preflight.ipxe";

const TIMEOUT_MILLISECONDS: u32 = 5000;

impl BootMenu {
    /// The menu as a script for iPXE (ipxe.org/scripting), with kernel and initramfs in the folder of the script.
    ///
    /// A build of iPXE without `menu` starts the first entry at once; with Escape in the menu the firmware goes on
    /// to its next boot device.
    ///
    /// # Errors
    /// When a word means something else to iPXE.
    pub fn ipxe_script(&self) -> Result<String, MenuError> {
        let first = self.entries.first().ok_or(MenuError::Empty)?;
        let default = &first.id;
        let mut text = format!("#!ipxe\n\nmenu Preflight || goto {default}\n");
        for entry in &self.entries {
            let words = entry.title.split_whitespace().map(plain);
            let title = words.collect::<Result<Vec<_>, _>>()?.join(" ");
            text.push_str(&format!("item {} {title}\n", entry.id));
        }
        text.push_str(&format!(
            "choose --timeout {TIMEOUT_MILLISECONDS} --default {default} entry || exit 1\ngoto ${{entry}}\n"
        ));
        for entry in &self.entries {
            let words = entry.options.iter().map(|word| plain(word));
            let options = words.collect::<Result<Vec<_>, _>>()?.join(" ");
            // The kernel's EFI stub asks iPXE for the file that initrd= names; on BIOS the word has no effect.
            text.push_str(&format!(
                "\n:{}\nkernel {KERNEL_FILE} initrd={INITRAMFS_FILE} {options} || goto failed\n\
                 initrd {INITRAMFS_FILE} || goto failed\nboot || goto failed\n",
                entry.id
            ));
        }
        text.push_str(&format!(
            "\n:failed\necho Preflight did not start. {KERNEL_FILE} and {INITRAMFS_FILE} must lie beside this script.\n\
             prompt --timeout 30000 Press any key for the shell of iPXE && shell || exit 1\n"
        ));
        Ok(text)
    }
}

/// A word that means itself to iPXE, which has no quotes (src/core/exec.c).
fn plain(word: &str) -> Result<&str, MenuError> {
    let means_something = word.is_empty()
        || word.starts_with('#')
        || word.contains("${")
        || word.contains(|c: char| c.is_whitespace() || c.is_control())
        || ["&&", "||", ";"].contains(&word);
    match means_something {
        true => Err(MenuError::Ipxe(word.to_owned())),
        false => Ok(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> String {
        let menu = BootMenu::standard(&["preflight.end=poweroff".to_owned()]);
        menu.unwrap().ipxe_script().unwrap()
    }

    #[test]
    fn every_entry_has_a_label_that_loads_and_starts_its_kernel() {
        let script = script();
        assert!(script.starts_with("#!ipxe\n"), "{script}");
        for entry in BootMenu::standard(&[]).unwrap().entries {
            let (_, block) = script.split_once(&format!("\n:{}\n", entry.id)).unwrap();
            let lines: Vec<_> = block.lines().take(3).collect();
            let options = entry.options.join(" ");
            let kernel = format!(
                "kernel vmlinuz initrd=initramfs.img {options} preflight.end=poweroff || goto failed"
            );
            assert_eq!(
                lines,
                [
                    kernel.as_str(),
                    "initrd initramfs.img || goto failed",
                    "boot || goto failed"
                ]
            );
        }
    }

    #[test]
    fn the_first_entry_starts_by_itself_with_a_menu_and_without() {
        let script = script();
        assert!(
            script.contains("menu Preflight || goto assess\n"),
            "{script}"
        );
        assert!(
            script.contains("choose --timeout 5000 --default assess entry"),
            "{script}"
        );
    }

    #[test]
    fn a_word_with_a_meaning_for_ipxe_is_refused() {
        for word in [
            "${net0/mac}",
            "||",
            "&&",
            ";",
            "#1",
            "two words",
            "a\nb",
            "",
        ] {
            let error = plain(word).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        for word in ["console=ttyS0,115200", "a;b", "x#y", "$x", "dyndbg='file'"] {
            assert_eq!(plain(word).unwrap(), word);
        }
    }
}
