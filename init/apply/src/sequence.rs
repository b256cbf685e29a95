//! What belongs together: the selectors and payloads that have to be switched as one.

use crate::change::{ChangeSet, FileChange, PlaceId, Role};
use crate::digest::Digest;
use crate::selector::{Ambiguous, Naming};

/// Ends the name of every file that is staged. In folders whose programs are run (hooks, grub.d) or whose files are
/// read whatever their names are (conf.d of initramfs-tools), names with it are passed over: run-parts(8),
/// grub-mkconfig_lib and mkinitramfs take them for dpkg's own.
const SUFFIX: &str = ".dpkg-tmp";

/// A staged name with another letter.
pub(crate) fn with_letter(path: &str, letter: char) -> String {
    let mut other = path.strip_suffix(SUFFIX).unwrap_or(path).to_owned();
    other.pop();
    format!("{other}{letter}{SUFFIX}")
}

/// A change set, with what follows from its selectors' texts.
#[derive(Clone, Debug)]
pub struct Sequence {
    pub(crate) set: ChangeSet,
    /// Begins the name of every file that is staged.
    pub(crate) prefix: String,
    /// In the order in which they are switched.
    pub(crate) units: Vec<Unit>,
}

/// Selectors with all payloads that they name and that change. Numbers are places in the change set's files.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) place: PlaceId,
    pub(crate) payloads: Vec<usize>,
    pub(crate) selectors: Vec<Switch>,
}

/// A selector's way.
#[derive(Clone, Debug)]
pub(crate) struct Switch {
    pub(crate) file: usize,
    /// The new text, but naming the staged payloads; none where the new text names none of the unit's.
    pub(crate) through: Option<Vec<u8>>,
}

/// Why there is no order in which a change set is safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// Nobody could tell its loader to read the new one.
    #[error(
        "no boot menu or loader entry of {place} names {path}, so that it cannot be switched safely"
    )]
    Unselected {
        /// The file system.
        place: PlaceId,
        /// The payload.
        path: String,
    },
    /// The text of a selector is not among the contents.
    #[error("the text of {path} on {place} is not at hand")]
    NoText {
        /// The file system.
        place: PlaceId,
        /// The selector.
        path: String,
    },
    /// A menu has a word that may be a changing payload's name or another file's.
    #[error(
        "{word} in a boot menu or loader entry of {place} may name a file that is to change, or another one, so \
         that it cannot be switched safely; remove that entry, or name the file there as other entries do"
    )]
    Ambiguous {
        /// The file system.
        place: PlaceId,
        /// The word.
        word: String,
    },
    /// Something in between is for a file that no loader reads, and that is there before and after.
    #[error("{path} on {place} cannot hold something else in between")]
    Between {
        /// The file system.
        place: PlaceId,
        /// The file.
        path: String,
    },
    /// A path that does not begin at the place's root, or has no name.
    #[error("{0:?} is no path of a file")]
    Path(String),
}

/// What an apply puts before the names of its files, and what its undo does: so that the one never takes the
/// other's for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the new files.
    There,
    /// To the old ones.
    Back,
}

impl Sequence {
    /// Finds what belongs together. `text` gives the text of a selector by its digest.
    pub fn new(
        set: ChangeSet,
        way: Way,
        text: &dyn Fn(&FileChange, &Digest) -> Option<Vec<u8>>,
    ) -> Result<Self, SequenceError> {
        let letter = match way {
            Way::There => 'a',
            Way::Back => 'u',
        };
        let mut sequence = Self {
            prefix: format!("preflight-{}-{letter}", set.id),
            set,
            units: Vec::new(),
        };
        for file in &sequence.set.files {
            if !file.path.starts_with('/') || file.path.ends_with('/') {
                return Err(SequenceError::Path(file.path.clone()));
            }
            let may = file.role == Role::Plain && file.before.is_some() && file.after.is_some();
            if file.between.is_some() && !may {
                return Err(SequenceError::Between {
                    place: file.place.clone(),
                    path: file.path.clone(),
                });
            }
        }
        for place in sequence.set.places() {
            let units = sequence.units_of(&place, text)?;
            sequence.units.extend(units);
        }
        Ok(sequence)
    }

    /// Numbers and changes of one place's files with this role.
    pub(crate) fn files(
        &self,
        place: &PlaceId,
        role: Role,
    ) -> impl Iterator<Item = (usize, &FileChange)> {
        let files = self.set.files.iter().enumerate();
        files.filter(move |(_, file)| file.place == *place && file.role == role)
    }

    /// The name beside a file under which something is staged for it, as a path. The letter says what.
    pub(crate) fn staged(&self, file: usize, letter: char) -> String {
        let path = self.set.files.get(file).map_or("/", |file| &file.path);
        let (folder, _) = path.rsplit_once('/').unwrap_or_default();
        format!("{folder}/{}", self.staged_name(file, letter))
    }

    fn staged_name(&self, file: usize, letter: char) -> String {
        format!("{}{file}{letter}{SUFFIX}", self.prefix)
    }

    fn units_of(
        &self,
        place: &PlaceId,
        text: &dyn Fn(&FileChange, &Digest) -> Option<Vec<u8>>,
    ) -> Result<Vec<Unit>, SequenceError> {
        let switched = |file: &FileChange| file.before.is_some() && file.after.is_some();
        let payloads: Vec<(usize, &FileChange)> = self
            .files(place, Role::Payload)
            .filter(|(_, file)| switched(file) && !file.is_same())
            .collect();
        let selectors: Vec<(usize, &FileChange)> = self.files(place, Role::Selector).collect();
        let mut texts: Vec<[Vec<u8>; 2]> = Vec::new();
        for (_, file) in &selectors {
            let [before, after] = [file.before, file.after].map(|state| match state {
                None => Ok(Vec::new()),
                // Without a payload that changes, nobody has to know what it says.
                Some(_) if payloads.is_empty() => Ok(Vec::new()),
                Some(state) => text(file, &state.digest).ok_or_else(|| SequenceError::NoText {
                    place: place.clone(),
                    path: file.path.clone(),
                }),
            });
            texts.push([before?, after?]);
        }
        let paths: Vec<&str> = payloads
            .iter()
            .map(|(_, payload)| payload.path.as_str())
            .collect();
        let naming = Naming::new(place.is_fat(), texts.as_flattened(), &paths).map_err(
            |Ambiguous(word)| SequenceError::Ambiguous {
                place: place.clone(),
                word,
            },
        )?;
        let mut units: Vec<Unit> = Vec::new();
        for ((number, file), [before, after]) in selectors.into_iter().zip(&texts) {
            let named = |text: &[u8]| {
                let named = payloads.iter();
                let named = named.filter(|(_, payload)| naming.names(text, &payload.path));
                named.copied().collect::<Vec<_>>()
            };
            let new = named(after);
            let mut own: Vec<usize> = named(before).iter().chain(&new).map(|(i, _)| *i).collect();
            own.sort_unstable();
            own.dedup();
            if own.is_empty() && file.is_same() {
                continue;
            }
            let staged: Vec<(&str, String)> = new
                .iter()
                .map(|(number, payload)| (payload.path.as_str(), self.staged_name(*number, 'p')))
                .collect();
            let switch = Switch {
                file: number,
                through: (!new.is_empty()).then(|| naming.renamed(after, &staged)),
            };
            join(&mut units, place, own, switch);
        }
        let covered = |number| units.iter().any(|unit| unit.payloads.contains(&number));
        if let Some((_, lost)) = payloads.iter().find(|(number, _)| !covered(*number)) {
            return Err(SequenceError::Unselected {
                place: place.clone(),
                path: lost.path.clone(),
            });
        }
        // loader.conf may choose an entry that appears, which goes before it, or one that is removed, which comes
        // behind it.
        units.sort_by_key(|unit| {
            let removed = unit.selectors.iter().all(|switch| {
                let file = self.set.files.get(switch.file);
                file.is_some_and(|file| file.after.is_none())
            });
            let chooser = unit.selectors.iter().any(|switch| {
                let file = self.set.files.get(switch.file);
                file.is_some_and(|file| file.path.ends_with("/loader.conf"))
            });
            (removed, chooser != removed)
        });
        Ok(units)
    }
}

/// Adds a selector to the unit that has one of its payloads; units that it connects become one.
fn join(units: &mut Vec<Unit>, place: &PlaceId, payloads: Vec<usize>, switch: Switch) {
    let touches = |unit: &Unit| unit.payloads.iter().any(|one| payloads.contains(one));
    let (touched, others): (Vec<Unit>, Vec<Unit>) = units.drain(..).partition(touches);
    *units = others;
    let mut joined = Unit {
        place: place.clone(),
        payloads,
        selectors: Vec::new(),
    };
    for unit in touched {
        joined.payloads.extend(unit.payloads);
        joined.selectors.extend(unit.selectors);
    }
    joined.payloads.sort_unstable();
    joined.payloads.dedup();
    joined.selectors.push(switch);
    units.push(joined);
}
