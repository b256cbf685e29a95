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

/// Whether a word of a selector may mean the payload at `path`, whatever root the loader sees: one of the two may
/// have more folders in front.
fn may_mean(word: &str, path: &str) -> bool {
    if !word.contains(['/', '\\']) {
        return false;
    }
    let mut pairs = components(word).rev().zip(components(path).rev());
    let named = pairs.next().is_some_and(|(one, other)| one == other);
    named && pairs.all(|(one, other)| one == other)
}

/// Whether the selector with this text may name the payload at `path`: what is no payload by this is none.
pub(crate) fn names(text: &[u8], path: &str) -> bool {
    words(text).any(|word| may_mean(word, path))
}

/// A word that may be the name of a payload or of another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous(pub String);

/// How the selectors of one place name its payloads. GRUB has paths from the root of its own file system, which on
/// ZFS begin with the data set (`/ROOT/pve-1@/boot/vmlinuz`) and on btrfs with the subvolume: the same for all
/// payloads of the place. A snapshot's payloads of the same names are behind others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Naming {
    above: Vec<String>,
    is_fat: bool,
}

/// What a word has before a payload's path.
enum Above<'a> {
    Folders(Vec<&'a str>),
    /// A device, a variable, `..`: known to the loader alone.
    Unknown,
}

impl Naming {
    /// Finds it from all texts of a place. On FAT paths are from its root.
    pub fn new(is_fat: bool, texts: &[Vec<u8>], payloads: &[&str]) -> Result<Self, Ambiguous> {
        let mut found: Option<Vec<&str>> = None;
        let mut other = None;
        for word in texts.iter().flat_map(|text| words(text)) {
            // Of two payloads, one of which has the other's path at its end, the longer one is meant.
            let longest = payloads
                .iter()
                .filter_map(|path| Some((components(path).count(), above(word, path, is_fat)?)))
                .max_by_key(|(length, _)| *length);
            let folders = match longest {
                None => continue,
                Some((_, Above::Unknown)) => return Err(Ambiguous(word.to_owned())),
                Some((_, Above::Folders(folders))) => folders,
            };
            match &found {
                Some(known) if *known == folders => {}
                // The path as the place itself has it needs no guess.
                Some(known) if known.is_empty() => {}
                Some(_) if !folders.is_empty() => other = Some(word),
                _ => found = Some(folders),
            }
        }
        let found = if is_fat { None } else { found };
        let above = found.unwrap_or_default();
        match other {
            Some(word) if !is_fat && !above.is_empty() => Err(Ambiguous(word.to_owned())),
            _ => Ok(Self {
                above: above.into_iter().map(str::to_owned).collect(),
                is_fat,
            }),
        }
    }

    fn means(&self, word: &str, path: &str) -> bool {
        match above(word, path, self.is_fat) {
            Some(Above::Folders(folders)) => folders == self.above,
            _ => false,
        }
    }

    /// Whether the selector with this text names the payload at `path`.
    pub fn names(&self, text: &[u8], path: &str) -> bool {
        words(text).any(|word| self.means(word, path))
    }

    /// The text with every name of these payloads changed; the folders before it, and every other byte, stay.
    pub fn renamed(&self, text: &[u8], payloads: &[(&str, String)]) -> Vec<u8> {
        let mut result = Vec::with_capacity(text.len());
        for piece in pieces(text) {
            let word = std::str::from_utf8(piece).unwrap_or_default();
            let payload = payloads.iter().find(|(path, _)| self.means(word, path));
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
}

/// What a word has before the whole path of a payload; none where it does not end in that.
fn above<'a>(word: &'a str, path: &str, is_fat: bool) -> Option<Above<'a>> {
    let word = word.strip_prefix("($root)").unwrap_or(word);
    if !word.contains(['/', '\\']) {
        return None;
    }
    let mut folders: Vec<&str> = components(word).collect();
    let wanted: Vec<&str> = components(path).collect();
    let own = folders.split_off(folders.len().checked_sub(wanted.len())?);
    let is_same = |(one, other): (&&str, &&str)| match is_fat {
        true => one.eq_ignore_ascii_case(other),
        false => one == other,
    };
    if wanted.is_empty() || !own.iter().zip(&wanted).all(is_same) {
        return None;
    }
    let first = folders.first().copied().unwrap_or_default();
    // An option of the kernel's command line is no file to the loader, but initrd= is one to the kernel's EFI stub.
    if first.contains('=') && !first.starts_with("initrd=") {
        return None;
    }
    let is_unknown =
        |folder: &&str| folder.contains(['$', '(', '=']) || matches!(*folder, "." | "..");
    Some(if folders.iter().any(is_unknown) {
        Above::Unknown
    } else {
        Above::Folders(folders)
    })
}

fn words(text: &[u8]) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| std::str::from_utf8(piece).ok())
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
mod tests;
