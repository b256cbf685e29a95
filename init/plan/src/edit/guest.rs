//! The file of a virtual machine (qemu-server): `key: value` lines, then sections of snapshots and of changes
//! that are pending. Only the main part is edited.

use proxmox::guests::{Guest, GuestKind};

use super::{EditError, Line, Source};

/// As many host devices as a guest can have (qemu-server, PVE/QemuServer/PCI.pm).
const DEVICES: u8 = 16;
const PENDING: &str = "[PENDING]";

/// A guest's file under the editor.
#[derive(Clone, Debug)]
pub struct GuestFile(Source);

impl GuestFile {
    /// Takes any file.
    ///
    /// # Errors
    /// One that is locked, and what [`EditError`] says of all files.
    pub fn parse(file: &[u8]) -> Result<Self, EditError> {
        let source = Source::parse(file);
        source.check()?;
        let file = Self(source);
        match file.value("lock")? {
            Some(lock) => Err(EditError::Locked(lock)),
            None => Ok(file),
        }
    }

    /// Its bytes.
    pub fn print(&self) -> Vec<u8> {
        self.0.print()
    }

    /// As it would be read.
    pub fn guest(&self, node: &str, number: u32) -> Guest {
        Guest::parse(node, number, GuestKind::Qemu, self.0.text())
    }

    /// The value of a key in the main part.
    ///
    /// # Errors
    /// A key that stands there twice.
    pub fn value(&self, key: &str) -> Result<Option<String>, EditError> {
        let found = self.place(key)?;
        Ok(found.map(|line| value(&line).to_owned()))
    }

    /// Sees to it that a key has this value: in its place, or on a line of its own where the order of keys
    /// wants it, for so Proxmox VE writes them.
    ///
    /// # Errors
    /// A key that stands there twice, or whose change is pending.
    pub fn set(&mut self, key: &str, new: &str) -> Result<(), EditError> {
        let Some(line) = self.place(key)? else {
            self.pending(key)?;
            let at = self.room(key);
            self.0.insert_line(at, &format!("{key}: {new}"));
            return Ok(());
        };
        let old = value(&line);
        if old == new {
            return Ok(());
        }
        self.pending(key)?;
        let after_colon = line.text.find(':').unwrap_or_default() + 1;
        let rest = line.text.get(after_colon..).unwrap_or_default();
        let start = line.start + after_colon + (rest.len() - rest.trim_ascii_start().len());
        let span = start..start + old.len();
        let gap = if rest.is_empty() { " " } else { "" };
        self.0.replace(span, &format!("{gap}{new}"));
        Ok(())
    }

    /// The first hostpci that nothing has, pending changes included.
    ///
    /// # Errors
    /// All sixteen are taken.
    pub fn free_device(&self) -> Result<u8, EditError> {
        let free = (0..DEVICES).find(|index| {
            let key = format!("hostpci{index}");
            self.pending(&key).is_ok() && !self.main().any(|line| is_key(&line, &key))
        });
        free.ok_or(EditError::NoIndex)
    }

    /// The lines before the first section.
    fn main(&self) -> impl Iterator<Item = Line<'_>> {
        self.0
            .lines()
            .take_while(|line| !line.text.starts_with('['))
    }

    fn place(&self, key: &str) -> Result<Option<Line<'_>>, EditError> {
        let mut found = self.main().filter(|line| is_key(line, key));
        let first = found.next();
        match found.next() {
            Some(_) => Err(EditError::Twice(key.to_owned())),
            None => Ok(first),
        }
    }

    /// A change of the key that waits: it, or `delete` with it among others.
    fn pending(&self, key: &str) -> Result<(), EditError> {
        let from = self
            .0
            .lines()
            .skip_while(|line| line.text.trim_ascii_end() != PENDING)
            .skip(1);
        let mut section = from.take_while(|line| !line.text.starts_with('['));
        let names_it = |line: &Line| {
            let deletes = is_key(line, "delete")
                && value(line)
                    .split([',', ' ', ';'])
                    .any(|other| other.trim_start_matches('!') == key);
            deletes || is_key(line, key)
        };
        if section.any(|line| names_it(&line)) {
            return Err(EditError::Pending(key.to_owned()));
        }
        Ok(())
    }

    /// Where a new key goes: before the first one that is behind it in the alphabet, else behind the last.
    fn room(&self, key: &str) -> usize {
        let keys = || {
            self.main()
                .filter(|line| !line.text.starts_with('#') && line.text.contains(':'))
        };
        let next = keys().find(|line| line.text.split(':').next().is_some_and(|other| other > key));
        let behind_last = || {
            let last = self
                .main()
                .filter(|line| !line.text.trim_ascii().is_empty())
                .last();
            last.map_or(0, |line| {
                let end = line.span().end;
                end + usize::from(
                    self.0
                        .text()
                        .get(end..)
                        .is_some_and(|rest| rest.starts_with('\n')),
                )
            })
        };
        next.map_or_else(behind_last, |line| line.start)
    }
}

fn is_key(line: &Line, key: &str) -> bool {
    line.text
        .strip_prefix(key)
        .is_some_and(|rest| rest.starts_with(':'))
}

fn value<'a>(line: &Line<'a>) -> &'a str {
    let value = line.text.split_once(':').map(|(_, value)| value);
    value.unwrap_or_default().trim_ascii()
}
