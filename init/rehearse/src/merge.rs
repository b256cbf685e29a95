//! A generated file, when the generator sees less on overlays than it would on the disks.
//!
//! `update-grub` asks which partition tables lie below a volume, and finds none below an overlay: it leaves
//! `insmod part_gpt` out. So it is run twice, before and after the settings change, and the difference between
//! the two is what is done to the file on the disk.

use std::ops::Range;

use similar::{ChangeTag, TextDiff};

/// The change from `before` to `after`, both made on overlays, done to `real`, line by line. None where a line
/// that changes, or the place between two lines where new ones go, is not in `real`.
pub fn same_change(before: &str, after: &str, real: &str) -> Option<String> {
    let [before, after, real] = [before, after, real].map(lines);
    let map = Map::between(&before, &real);
    let mut merged = String::new();
    let mut done = 0;
    for hunk in hunks(&before, &after) {
        let place = map.range(&hunk.old)?;
        merged.extend(real.get(done..place.start)?.iter().copied());
        merged.push_str(&hunk.new);
        done = place.end;
    }
    merged.extend(real.get(done..)?.iter().copied());
    Some(merged)
}

/// Lines that differ, between lines that do not.
struct Hunk {
    old: Range<usize>,
    new: String,
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn hunks(before: &[&str], after: &[&str]) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut line = 0;
    let mut is_open = false;
    for change in TextDiff::from_slices(before, after).iter_all_changes() {
        if change.tag() == ChangeTag::Equal {
            line += 1;
            is_open = false;
            continue;
        }
        if !std::mem::replace(&mut is_open, true) {
            hunks.push(Hunk {
                old: line..line,
                new: String::new(),
            });
        }
        let Some(hunk) = hunks.last_mut() else {
            continue;
        };
        if change.tag() == ChangeTag::Delete {
            line += 1;
            hunk.old.end = line;
        } else {
            hunk.new.push_str(change.value());
        }
    }
    hunks
}

/// Where each line of one text stands in another one.
struct Map {
    places: Vec<Option<usize>>,
    length: usize,
}

impl Map {
    fn between(one: &[&str], other: &[&str]) -> Self {
        let mut places = Vec::new();
        let mut length = 0;
        for change in TextDiff::from_slices(one, other).iter_all_changes() {
            match change.tag() {
                ChangeTag::Equal => places.push(Some(length)),
                ChangeTag::Delete => places.push(None),
                ChangeTag::Insert => {}
            }
            if change.tag() != ChangeTag::Delete {
                length += 1;
            }
        }
        Self { places, length }
    }

    /// The lines of the other text that are these, without any other between them. For no lines, the place before
    /// the line that follows, which must follow there too.
    fn range(&self, lines: &Range<usize>) -> Option<Range<usize>> {
        let at = |line: usize| self.places.get(line).copied().flatten();
        if lines.is_empty() {
            let next = if lines.start == self.places.len() {
                self.length
            } else {
                at(lines.start)?
            };
            let follows = match lines.start.checked_sub(1) {
                None => next == 0,
                Some(last) => at(last)? + 1 == next,
            };
            return follows.then_some(next..next);
        }
        let start = at(lines.start)?;
        let is_run = lines
            .clone()
            .enumerate()
            .all(|(step, line)| at(line) == Some(start + step));
        is_run.then_some(start..start + lines.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEFORE: &str = "a\nlinux quiet\nb\nlinux quiet\nc\n";
    const AFTER: &str = "a\nlinux quiet iommu=pt\nb\nlinux quiet iommu=pt\nc\n";

    #[test]
    fn what_stands_on_the_disk_alone_stays() {
        let real = "insmod part_gpt\na\nlinux quiet\ninsmod part_gpt\nb\nlinux quiet\nc\nlast";
        let wanted = "insmod part_gpt\na\nlinux quiet iommu=pt\ninsmod part_gpt\nb\nlinux quiet iommu=pt\nc\nlast";
        assert_eq!(same_change(BEFORE, AFTER, real).as_deref(), Some(wanted));
    }

    #[test]
    fn a_line_that_a_person_has_changed_is_not_guessed_at() {
        let real = "a\nlinux nomodeset\nb\nlinux quiet\nc\n";
        assert_eq!(same_change(BEFORE, AFTER, real), None);
    }

    #[test]
    fn new_lines_go_where_both_neighbours_are() {
        let after = "a\nlinux quiet\nb\nnew\nlinux quiet\nc\n";
        let real = "x\na\nlinux quiet\nb\nlinux quiet\nc\n";
        let wanted = "x\na\nlinux quiet\nb\nnew\nlinux quiet\nc\n";
        assert_eq!(same_change(BEFORE, after, real).as_deref(), Some(wanted));
        let parted = "a\nlinux quiet\nb\nbetween\nlinux quiet\nc\n";
        assert_eq!(same_change(BEFORE, after, parted), None);
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab]{0,2}\n", 0..12).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn with_the_same_base_the_result_is_what_was_made(before in text(), after in text()) {
            prop_assert_eq!(same_change(&before, &after, &before), Some(after));
        }

        #[test]
        fn no_change_changes_nothing(before in text(), real in text()) {
            prop_assert_eq!(same_change(&before, &before, &real), Some(real));
        }

        #[test]
        fn any_texts_are_taken(before in ".{0,40}", after in ".{0,40}", real in ".{0,40}") {
            let _ = same_change(&before, &after, &real);
        }
    }
}
