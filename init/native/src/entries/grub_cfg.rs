use std::collections::BTreeSet;

use plan::edit::{PlacedWord, Source, WordEdit};
use proxmox::boot::grub_menu::GrubMenu;

use super::EntryError;

/// Longer menus are not run as far as their end.
const LONGEST: usize = 1 << 20;
const COMMANDS: [&str; 3] = ["linux", "linux16", "linuxefi"];
/// A menu is one for both, or for one of them.
const PLATFORMS: [&str; 2] = ["efi", "pc"];

/// Changes the command lines of a grub.cfg: of the entries that update-grub would give them to
/// ([`GrubMenu::ordinary`]). What GRUB would pass afterwards is checked by running the menu again.
///
/// # Errors
/// A menu without such entries, a word in quotes that would have to change, and a line that GRUB makes from
/// something else.
pub fn grub_cfg(file: &[u8], edits: &[WordEdit]) -> Result<Vec<u8>, EntryError> {
    if file.len() > LONGEST {
        return Err(EntryError::TooLong(file.len()));
    }
    let mut source = Source::parse(file);
    source.check()?;
    let lines: BTreeSet<usize> = menus(file)
        .iter()
        .flat_map(|menu| {
            let entries = menu.ordinary().into_iter();
            entries
                .map(|(_, linux)| linux.line as usize)
                .collect::<Vec<_>>()
        })
        .collect();
    if lines.is_empty() {
        return Err(EntryError::NoEntries);
    }
    for line in lines {
        for edit in edits {
            let (words, end) = linux(&source, line).ok_or(EntryError::NotLinux(line))?;
            let done = edit.apply(&mut source, &words, end);
            done.map_err(|why| EntryError::Line { line, why })?;
        }
    }
    let changed = source.print();
    for menu in menus(&changed) {
        for (_, linux) in menu.ordinary() {
            for edit in edits {
                let line = linux.line as usize;
                let done = edit.is_done(&linux.command_line);
                if !done.map_err(|why| EntryError::Line { line, why })? {
                    let word = edit.shown();
                    return Err(EntryError::Elsewhere { line, word });
                }
            }
        }
    }
    Ok(changed)
}

fn menus(file: &[u8]) -> [GrubMenu; 2] {
    let text = String::from_utf8_lossy(file);
    PLATFORMS.map(|platform| GrubMenu::parse(&text, None, platform))
}

/// The words that a `linux` command gives to the kernel, and where another one is put. None where no such command
/// begins on that line.
fn linux(source: &Source, line: usize) -> Option<(Vec<PlacedWord>, usize)> {
    let start = source.lines().find(|found| found.number == line)?.start;
    let mut words = command(source.text(), start);
    let (name, kernel) = (words.first()?, words.get(1)?);
    if !COMMANDS.contains(&name.text.as_str()) {
        return None;
    }
    let end = words.last().unwrap_or(kernel).span.end;
    words.drain(..2);
    Some((words, end))
}

/// The words of the command that begins there (GRUB manual, 6.2 Quoting).
fn command(text: &str, start: usize) -> Vec<PlacedWord> {
    let mut words: Vec<PlacedWord> = Vec::new();
    let mut word: Option<PlacedWord> = None;
    let mut quote = None;
    let rest = text.get(start..).unwrap_or_default();
    let mut characters = rest.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let at = start + at;
        let open = quote.is_some();
        if !open && character == '\\' && characters.next_if(|(_, next)| *next == '\n').is_some() {
            words.extend(word.take());
            continue;
        }
        if !open && matches!(character, ' ' | '\t') {
            words.extend(word.take());
            continue;
        }
        if !open
            && (matches!(character, '\n' | ';' | '&' | '|') || character == '#' && word.is_none())
        {
            break;
        }
        let end = at + character.len_utf8();
        let here = word.get_or_insert_with(|| PlacedWord {
            text: String::new(),
            span: at..end,
            literal: true,
        });
        here.span.end = end;
        match character {
            _ if quote == Some(character) => quote = None,
            '\'' | '"' if !open => {
                quote = Some(character);
                here.literal = false;
            }
            '\\' if quote != Some('\'') => {
                here.literal = false;
                if let Some((at, escaped)) = characters.next() {
                    here.text.push(escaped);
                    here.span.end = start + at + escaped.len_utf8();
                }
            }
            other => {
                here.literal &= other != '$' || quote == Some('\'');
                here.text.push(other);
            }
        }
    }
    words.extend(word);
    words
}
