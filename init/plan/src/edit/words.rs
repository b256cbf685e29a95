use std::ops::Range;

use proxmox::command_line::CommandLine;
use serde::{Deserialize, Serialize};

use super::source::{plain, same};
use super::{EditError, Source};

/// A change of a kernel command line. Many parameters are lists with commas, of which only one item is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordEdit {
    /// A parameter has this item, and none of those that contradict it.
    Item {
        /// The parameter.
        name: String,
        /// The item.
        item: String,
        /// What goes when it is there.
        #[serde(default)]
        instead_of: Vec<String>,
    },
    /// A parameter has this item no more; one that was left empty goes as a whole.
    RemoveItem {
        /// The parameter.
        name: String,
        /// The item.
        item: String,
    },
    /// This word is there as a whole.
    Word(String),
}

/// A word of a command line, and where it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedWord {
    /// As the kernel gets it.
    pub text: String,
    /// Its place in the [`Source`], quotes included.
    pub span: Range<usize>,
    /// Whether it stands there as it is. Any other can be kept, not changed.
    pub literal: bool,
}

/// What an edit does to a list of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WordChanges {
    /// Words by their place in the list: what comes instead of each, or nothing.
    pub(super) replaced: Vec<(usize, Option<String>)>,
    /// A word for the end.
    pub(super) appended: Option<String>,
}

impl WordChanges {
    pub(super) fn is_none(&self) -> bool {
        self.replaced.is_empty() && self.appended.is_none()
    }

    /// The list as it is afterwards.
    pub(super) fn apply(&self, words: &[String]) -> Vec<String> {
        let kept = words.iter().enumerate().filter_map(|(index, word)| {
            let change = self.replaced.iter().find(|(changed, _)| *changed == index);
            change.map_or_else(|| Some(word.clone()), |(_, instead)| instead.clone())
        });
        kept.chain(self.appended.clone()).collect()
    }
}

impl WordEdit {
    /// An item that nothing contradicts.
    pub fn item(name: &str, item: &str) -> Self {
        Self::item_instead(name, item, &[])
    }

    /// An item in the place of others.
    pub fn item_instead(name: &str, item: &str, instead_of: &[&str]) -> Self {
        Self::Item {
            name: name.to_owned(),
            item: item.to_owned(),
            instead_of: instead_of.iter().map(|other| (*other).to_owned()).collect(),
        }
    }

    /// Whether a command line is as this change would leave it.
    ///
    /// # Errors
    /// An open quote, or a parameter of that name that stands in quotes.
    pub fn is_done(&self, line: &CommandLine) -> Result<bool, EditError> {
        Ok(self.changes(&cut_text(line.as_str()))?.is_none())
    }

    /// Changes the words of a command line where they stand. A new one is put at `end`, behind a space; where one
    /// goes, the white space before it does too.
    ///
    /// # Errors
    /// A word that would have to change and is not literal, and what [`EditError`] says of all files.
    pub fn apply(
        &self,
        source: &mut Source,
        words: &[PlacedWord],
        end: usize,
    ) -> Result<(), EditError> {
        let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        let changes = self.changes(&texts)?;
        let mut splices: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(word) = &changes.appended {
            splices.push((end..end, format!(" {word}")));
        }
        for (index, instead) in &changes.replaced {
            let Some(word) = words.get(*index) else {
                continue;
            };
            if !word.literal {
                return Err(EditError::Elsewhere(word.text.clone()));
            }
            match instead {
                Some(text) => splices.push((word.span.clone(), text.clone())),
                None => {
                    let before = source.text().get(..word.span.start).unwrap_or_default();
                    let start = before.trim_end_matches([' ', '\t']).len();
                    splices.push((start..word.span.end, String::new()));
                }
            }
        }
        // From the back, so that the places before stay what they are.
        splices.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for (span, text) in splices {
            source.replace(span, &text);
        }
        Ok(())
    }

    /// The word that is looked for afterwards, for a person.
    pub fn shown(&self) -> String {
        match self {
            Self::Item { name, item, .. } | Self::RemoveItem { name, item } => {
                format!("{name}={item}")
            }
            Self::Word(word) => word.clone(),
        }
    }

    /// Whether it only ever adds, so that it can be done behind what is not understood.
    pub(super) fn adds(&self) -> bool {
        !matches!(self, Self::RemoveItem { .. })
    }

    pub(super) fn changes(&self, words: &[String]) -> Result<WordChanges, EditError> {
        plain(&self.shown())?;
        let is_open = |word: &&String| word.matches('"').count() % 2 == 1;
        if let Some(open) = words.iter().find(is_open) {
            return Err(EditError::OpenWord(open.clone()));
        }
        match self {
            Self::Word(word) => Ok(WordChanges {
                appended: (!words.contains(word)).then(|| word.clone()),
                ..WordChanges::default()
            }),
            Self::RemoveItem { name, item } => {
                let named = named(words, name)?;
                let without = named.into_iter().filter_map(|(index, word, items)| {
                    // Ids of devices are written in either case.
                    let kept = without(&items, |other| other.eq_ignore_ascii_case(item));
                    (kept.len() < items.len()).then(|| (index, join(&word, &kept)))
                });
                Ok(WordChanges {
                    replaced: without.collect(),
                    appended: None,
                })
            }
            Self::Item {
                name,
                item,
                instead_of,
            } => item_changes(words, name, item, instead_of),
        }
    }
}

fn item_changes(
    words: &[String],
    name: &str,
    item: &str,
    instead_of: &[String],
) -> Result<WordChanges, EditError> {
    let named = named(words, name)?;
    let has = named
        .iter()
        .any(|(_, _, items)| items.iter().any(|other| other == item));
    let mut missing = !has;
    let mut changes = WordChanges::default();
    // The kernel reads parameters in order: what comes last has the last word, so that is where an item goes.
    for (index, word, items) in named.iter().rev() {
        let mut kept = without(items, |other| instead_of.contains(other));
        if std::mem::take(&mut missing) {
            kept.push(item.to_owned());
        }
        if kept != *items {
            changes.replaced.push((*index, join(word, &kept)));
        }
    }
    changes.replaced.reverse();
    if missing {
        changes.appended = Some(format!("{name}={item}"));
    }
    Ok(changes)
}

type Named = (usize, String, Vec<String>);

/// The words of that name: their place, the name as it is written, their items.
fn named(words: &[String], name: &str) -> Result<Vec<Named>, EditError> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let (written, value) = word.split_once('=').unwrap_or((word, ""));
        if !same(written.trim_start_matches('"'), name) {
            continue;
        }
        if word.contains('"') {
            return Err(EditError::Elsewhere(word.clone()));
        }
        let items = value.split(',').filter(|item| !item.is_empty());
        found.push((
            index,
            written.to_owned(),
            items.map(str::to_owned).collect(),
        ));
    }
    Ok(found)
}

fn without(items: &[String], gone: impl Fn(&String) -> bool) -> Vec<String> {
    items.iter().filter(|item| !gone(item)).cloned().collect()
}

fn join(name: &str, items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| format!("{name}={}", items.join(",")))
}

/// Cuts a command line as the kernel does (lib/cmdline.c, next_arg): at white space outside double quotes.
/// Takes characters with whatever belongs to them.
pub(super) fn cut<T>(characters: impl Iterator<Item = (char, T)>) -> Vec<Vec<(char, T)>> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut quoted = false;
    for (character, with) in characters {
        quoted ^= character == '"';
        if !quoted && character.is_ascii_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push((character, with));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The words of a command line whose parts stand behind each other in a file, each in one of these places.
pub fn placed_words(source: &Source, parts: &[Range<usize>]) -> Vec<PlacedWord> {
    let mut characters = Vec::new();
    for part in parts {
        let text = source.text().get(part.clone()).unwrap_or_default();
        characters.extend(text.char_indices().map(|(at, it)| (it, part.start + at)));
        characters.push((' ', part.end));
    }
    let words = cut(characters.into_iter()).into_iter();
    words
        .filter_map(|word| {
            let (_, start) = *word.first()?;
            let (last, end) = *word.last()?;
            Some(PlacedWord {
                text: word.iter().map(|(character, _)| *character).collect(),
                span: start..end + last.len_utf8(),
                literal: true,
            })
        })
        .collect()
}

/// The words of a whole command line.
pub(super) fn cut_text(text: &str) -> Vec<String> {
    let words = cut(text.chars().map(|character| (character, ()))).into_iter();
    words
        .map(|word| word.into_iter().map(|(character, ())| character).collect())
        .collect()
}
