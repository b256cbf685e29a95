use std::ops::ControlFlow;

use apply::{ChangeSet, Event, FileChange, Instead, Recovered, Unended};

use crate::apply::is_database;

/// Whether a change is made, or taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    There,
    Back,
}

/// What became of a change that was begun and not ended, and what ending it does.
pub fn words_of_unended(one: &Unended) -> String {
    let (ahead, direction) = match one.ends {
        Recovered::Applied(_) => (
            "was begun, and will first be applied to the end",
            Direction::There,
        ),
        Recovered::NotApplied => (
            "was begun, nothing of it is in use, and it will be removed",
            Direction::There,
        ),
        Recovered::Undone => (
            "is half undone, and will be undone to the end",
            Direction::Back,
        ),
        Recovered::NotUndone => (
            "has an undo that was begun, and of which nothing is in use: it is removed",
            Direction::Back,
        ),
    };
    let mut text = format!("The change {} {ahead}:\n", one.id);
    let writes = matches!(one.ends, Recovered::Applied(_) | Recovered::Undone);
    match one.set.as_ref().filter(|_| writes) {
        Some(set) => text.push_str(&list(set, one.instead.as_ref(), direction)),
        None => text.push_str("  only what was staged goes\n"),
    }
    text
}

/// Every file that is written. What others have written to is told by what of it changes.
pub(super) fn list(set: &ChangeSet, instead: Option<&Instead>, direction: Direction) -> String {
    let mut text = String::new();
    let by_entries = |file: &FileChange| {
        let mut files = instead.iter().flat_map(|instead| &instead.files);
        files.any(|own| own.is_at(&file.place, &file.path))
    };
    for file in set
        .files
        .iter()
        .filter(|file| !file.is_same() && !by_entries(file))
    {
        let (gets, what) = match direction {
            Direction::There => (file.after, "change"),
            Direction::Back => (file.before, "put back"),
        };
        let what = if gets.is_some() { what } else { "remove" };
        let whole = if is_database(file) {
            ", as a whole, for nothing else has written to it"
        } else {
            ""
        };
        text.push_str(&format!(
            "  {what} {} on {}{whole}\n",
            file.path, file.place
        ));
    }
    for line in instead.iter().flat_map(|instead| &instead.told) {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

/// What became of it.
pub(super) fn said(how: &Recovered) -> &'static str {
    match how {
        Recovered::Applied(_) => "it had been begun, and is applied now",
        Recovered::NotApplied => "nothing of it had been switched, and what was staged is removed",
        Recovered::Undone => "its undo had been begun, and is done now",
        Recovered::NotUndone => "nothing of its undo had been switched; the change is still there",
    }
}

/// Prints each act before it is done.
pub(super) fn shown(event: Event<'_>) -> ControlFlow<()> {
    match event {
        Event::Doing { act, number, of } => println!("{}/{of}: {act}", number + 1),
        Event::Verifying => println!("Reading everything again"),
        Event::Saving { .. } | Event::Written { .. } => {}
    }
    ControlFlow::Continue(())
}
