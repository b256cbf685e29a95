//! Which payloads a selector names, and the same selector with other names in it.

/// Characters between the words of grub.cfg and of loader entries, as far as they can stand beside a path.
fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\'' | '"' | ';')
}

/// Folders and name, from the place's root on. Loader entries may have backslashes.
fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split(['/', '\\'])
        .filter(|component| !component.is_empty())
}

/// Whether a word of a selector means the payload at `path`. GRUB has paths from the root of its own file system,
/// which can be /boot (`/vmlinuz`), and for ZFS they begin with the data set (`/ROOT/pve-1@/boot/vmlinuz`): so one
/// of the two may have more folders in front.
fn means(word: &str, path: &str) -> bool {
    if !word.contains(['/', '\\']) {
        return false;
    }
    let mut pairs = components(word).rev().zip(components(path).rev());
    let named = pairs.next().is_some_and(|(one, other)| one == other);
    named && pairs.all(|(one, other)| one == other)
}

/// Whether the selector with this text names the payload at `path`.
pub(crate) fn names(text: &[u8], path: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    text.split(ends_word).any(|word| means(word, path))
}

/// The text with every name of these payloads changed; the folders before it, and every other byte, stay.
pub(crate) fn renamed(text: &[u8], payloads: &[(&str, String)]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    for piece in pieces(text) {
        let word = std::str::from_utf8(piece).unwrap_or_default();
        let payload = payloads.iter().find(|(path, _)| means(word, path));
        match (payload, word.rfind(['/', '\\'])) {
            (Some((_, name)), Some(last)) => {
                result.extend(piece.iter().take(last + 1));
                result.extend(name.as_bytes());
            }
            _ => result.extend(piece),
        }
    }
    result
}

/// The words and what is between them, in order.
fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.chunk_by(|one, other| {
        let ends = |byte: &u8| ends_word(char::from(*byte));
        // NEL and no-break space are whitespace as characters, and parts of others as bytes.
        let ends = |byte: &u8| byte.is_ascii() && ends(byte);
        ends(one) == ends(other)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INITRD: &str = "/boot/initrd.img-6.8.12-2-pve";

    #[test]
    fn grub_names_a_payload_from_the_root_of_its_own_file_system() {
        for word in [
            "/boot/initrd.img-6.8.12-2-pve",
            "/initrd.img-6.8.12-2-pve",
            "/ROOT/pve-1@/boot/initrd.img-6.8.12-2-pve",
            "/@/boot/initrd.img-6.8.12-2-pve",
        ] {
            let text =
                format!("\tlinux\t/boot/vmlinuz-6.8.12-2-pve root=/dev/x\n\tinitrd\t{word}\n");
            assert!(names(text.as_bytes(), INITRD), "{word}");
        }
    }

    #[test]
    fn a_title_and_another_kernels_initrd_are_no_name_of_it() {
        for text in [
            "menuentry 'initrd.img-6.8.12-2-pve' {",
            "initrd /boot/initrd.img-6.8.12-2-pve.old",
            "initrd /other/initrd.img-6.8.12-2-pve",
            "initrd /boot/initrd.img-6.8.12-1-pve",
        ] {
            assert!(!names(text.as_bytes(), INITRD), "{text}");
        }
    }

    #[test]
    fn a_renamed_payload_stays_in_its_folder_and_nothing_else_changes() {
        let entry =
            b"title x\nlinux /EFI/proxmox/6/vmlinuz-6\ninitrd  \\EFI\\proxmox\\6\\initrd.img-6\n";
        let renamed = renamed(entry, &[("/EFI/proxmox/6/initrd.img-6", "new".to_owned())]);
        let expected = b"title x\nlinux /EFI/proxmox/6/vmlinuz-6\ninitrd  \\EFI\\proxmox\\6\\new\n";
        assert_eq!(renamed, expected);
    }

    proptest! {
        #[test]
        fn any_bytes_stay_when_no_payload_is_named(text in any::<Vec<u8>>()) {
            prop_assert_eq!(renamed(&text, &[("/nowhere/at-all", "x".to_owned())]), text);
        }
    }
}
