//! /etc/default/grub and /etc/default/grub.d/*.cfg: shell files that grub-mkconfig sources one after the other.

use std::collections::BTreeMap;

use proxmox::settings::{GrubDefaults, GrubVariable};
use proxmox::shell::{Assignment, Assignments, Piece};

use super::grub_value::{ShellValue, ShellWord};
use super::words::{WordChanges, cut_text};
use super::{EditError, Source, WordEdit};

/// The file that is the user's.
pub const MAIN: &str = "/etc/default/grub";
/// Sourced after every file whose name a person or a package chooses: words are added here where the other
/// files say them in a way that only a shell understands.
pub const DROP_IN: &str = "/etc/default/grub.d/zz-preflight.cfg";
/// Given to every entry but those for recovery.
const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";
/// Given to every entry, before the others.
const ALWAYS: &str = "GRUB_CMDLINE_LINUX";

/// The files that are sourced, in order, each with its whole path.
pub type Files = Vec<(String, Vec<u8>)>;

/// Edits the command line that the files make, and gives back those that are to change: the words in their
/// place where they stand, new ones behind the last of GRUB_CMDLINE_LINUX_DEFAULT, or in [`DROP_IN`].
///
/// # Errors
/// An open quote, a word that would have to go and stands where only a shell finds it, and what
/// [`EditError`] says of all files.
pub fn edit(files: &Files, edits: &[WordEdit]) -> Result<BTreeMap<String, Vec<u8>>, EditError> {
    let mut sources: Vec<(String, Source)> = files
        .iter()
        .map(|(path, bytes)| (path.clone(), Source::parse(bytes)))
        .collect();
    if sources.is_empty() {
        return Err(EditError::Missing(MAIN.to_owned()));
    }
    for (_, source) in &sources {
        source.check()?;
    }
    for edit in edits {
        apply(&mut sources, edit)?;
    }
    let changed = sources.into_iter().filter_map(|(path, source)| {
        let bytes = source.print();
        let same = files
            .iter()
            .any(|(other, before)| *other == path && *before == bytes);
        (!same).then_some((path, bytes))
    });
    Ok(changed.collect())
}

/// The words that an ordinary entry is given, behind `root=... ro`; none where only a shell can say.
pub fn words(files: &Files) -> Option<Vec<String>> {
    let sources: Vec<_> = files
        .iter()
        .map(|(path, bytes)| (path.clone(), Source::parse(bytes)))
        .collect();
    effective(&evaluate(&sources).ok()?)
}

/// A word, and the assignment that it stands in.
struct Located {
    file: usize,
    assignment: Assignment,
    word: ShellWord,
}

fn apply(sources: &mut Vec<(String, Source)>, edit: &WordEdit) -> Result<(), EditError> {
    let before = effective(&evaluate(sources)?);
    let found = locate(sources);
    let texts: Vec<String> = found
        .iter()
        .map(|located| located.word.text.clone())
        .collect();
    let known = edit.changes(&texts)?;
    let wanted = match &before {
        Some(words) => {
            let changes = edit.changes(words)?;
            if changes.is_none() {
                return Ok(());
            }
            Some(changes.apply(words))
        }
        None if edit.adds() && surely_there(edit, &found)? => return Ok(()),
        None => None,
    };
    if let Some(wanted) = wanted {
        let mut tried = sources.clone();
        if in_place(&mut tried, &found, &known) && alike(effective(&evaluate(&tried)?), &wanted) {
            *sources = tried;
            return Ok(());
        }
    }
    let Some(word) = &known.appended else {
        return Err(not_in_place(before.as_ref(), edit));
    };
    drop_in(sources, word)?;
    let after = effective(&evaluate(sources)?);
    match (before, after) {
        (Some(before), Some(after)) => {
            let changes = edit.changes(&before)?;
            if alike(Some(after), &changes.apply(&before)) {
                Ok(())
            } else {
                Err(EditError::Elsewhere(edit.shown()))
            }
        }
        _ => Ok(()),
    }
}

/// Whether the words that are there in any case suffice, where others cannot be said.
fn surely_there(edit: &WordEdit, found: &[Located]) -> Result<bool, EditError> {
    let sure = found
        .iter()
        .filter(|located| !located.assignment.conditional);
    let texts: Vec<String> = sure.map(|located| located.word.text.clone()).collect();
    Ok(edit.changes(&texts)?.is_none())
}

fn not_in_place(before: Option<&Vec<String>>, edit: &WordEdit) -> EditError {
    match before {
        Some(_) => EditError::Elsewhere(edit.shown()),
        None => EditError::Computed(DEFAULT.to_owned()),
    }
}

/// The same words, each as often, in whatever order.
fn alike(found: Option<Vec<String>>, wanted: &[String]) -> bool {
    let Some(mut found) = found else {
        return false;
    };
    let mut wanted = wanted.to_vec();
    found.sort();
    wanted.sort();
    found == wanted
}

fn evaluate(sources: &[(String, Source)]) -> Result<GrubDefaults, EditError> {
    let texts: Vec<(String, String)> = sources
        .iter()
        .map(|(path, source)| (path.clone(), source.text().to_owned()))
        .collect();
    let (defaults, open) = GrubDefaults::from_files(&texts);
    match open.first() {
        Some(place) => Err(EditError::OpenQuote {
            file: place.file.clone(),
            line: usize::try_from(place.line).unwrap_or_default(),
        }),
        None => Ok(defaults),
    }
}

fn effective(defaults: &GrubDefaults) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for name in [ALWAYS, DEFAULT] {
        let Some(GrubVariable { value, certain, .. }) = defaults.variables.get(name) else {
            continue;
        };
        if !certain {
            return None;
        }
        words.extend(cut_text(value));
    }
    Some(words)
}

/// The assignments that the end value of a variable is made of: those since the last one that does not take
/// the value before it along.
fn contributors(sources: &[(String, Source)], name: &str) -> Vec<(usize, Assignment)> {
    let mut found: Vec<(usize, Assignment)> = Vec::new();
    for (file, (_, source)) in sources.iter().enumerate() {
        let assignments = Assignments::parse(source.text()).assignments.into_iter();
        for assignment in assignments.filter(|assignment| assignment.name == name) {
            let appends = assignment
                .pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Variable(variable) if variable == name));
            if !appends && !assignment.conditional {
                found.clear();
            }
            found.push((file, assignment));
        }
    }
    found
}

fn locate(sources: &[(String, Source)]) -> Vec<Located> {
    let mut found = Vec::new();
    for name in [ALWAYS, DEFAULT] {
        for (file, assignment) in contributors(sources, name) {
            let Some((_, source)) = sources.get(file) else {
                continue;
            };
            let value = ShellValue::read(source, assignment.span.clone());
            found.extend(value.words().into_iter().map(|word| Located {
                file,
                assignment: assignment.clone(),
                word,
            }));
        }
    }
    found
}

fn in_place(sources: &mut [(String, Source)], found: &[Located], changes: &WordChanges) -> bool {
    // From the back, so that the places of what is still to change stay right.
    if let Some(word) = &changes.appended {
        let holders = contributors(sources, DEFAULT);
        let sure = || {
            holders
                .iter()
                .filter(|(_, assignment)| !assignment.conditional)
        };
        let holder = sure()
            .rfind(|(file, _)| *file == 0)
            .or_else(|| sure().next_back());
        match holder {
            Some((file, assignment)) => {
                let Some((_, source)) = sources.get_mut(*file) else {
                    return false;
                };
                ShellValue::read(source, assignment.span.clone()).append(source, word);
            }
            None if holders.is_empty() => {
                if let Some((_, source)) = sources.first_mut() {
                    source.append_line(&format!("{DEFAULT}=\"{word}\""));
                }
            }
            None => return false,
        }
    }
    let mut replaced: Vec<_> = changes
        .replaced
        .iter()
        .filter_map(|(index, instead)| Some((found.get(*index)?, instead)))
        .collect();
    replaced.sort_by_key(|(located, _)| (located.file, located.word.start()));
    for (located, instead) in replaced.into_iter().rev() {
        let Some((_, source)) = sources.get_mut(located.file) else {
            return false;
        };
        let value = ShellValue::read(source, located.assignment.span.clone());
        if !value.replace(source, &located.word, instead.as_deref()) {
            return false;
        }
    }
    true
}

fn drop_in(sources: &mut Vec<(String, Source)>, word: &str) -> Result<(), EditError> {
    let line = format!("{DEFAULT}=\"${DEFAULT} {word}\"");
    let place = sources.iter().position(|(path, _)| path == DROP_IN);
    let source = match place.and_then(|index| sources.get_mut(index)) {
        Some((_, source)) => source,
        None => {
            // In the order that they are sourced: the first one, then the others by name.
            let behind = |(path, _): &(String, Source)| path.as_str() < DROP_IN;
            let at = 1 + sources
                .iter()
                .skip(1)
                .take_while(|file| behind(file))
                .count();
            sources.insert(at, (DROP_IN.to_owned(), Source::default()));
            let (_, source) = sources
                .get_mut(at)
                .ok_or_else(|| EditError::Missing(DROP_IN.to_owned()))?;
            source.append_line(
                "# Written by Preflight. The files before this one are left as they are.",
            );
            source
        }
    };
    source.append_line(&line);
    Ok(())
}
