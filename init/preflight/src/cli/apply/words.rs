use std::borrow::Cow;
use std::io::{self, BufRead, Write};
use std::path::{Component, Path};

use apply::{FileChange, PlaceId};

/// One that stays in its folder.
pub fn is_name(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    )
}

/// What a disk or a tool has named may hold anything, and a terminal would obey it.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_odd = |character: char| character.is_control() && character != '\n' && character != '\t';
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(is_odd, "?"))
}

/// A line that a person types; none at the end of the input.
pub fn asked(question: &str) -> io::Result<Option<String>> {
    eprint!("{question}");
    io::stderr().flush()?;
    let mut answer = String::new();
    let length = io::stdin().lock().read_line(&mut answer)?;
    Ok((length > 0).then_some(answer))
}

/// A change for a person.
pub fn described(file: &FileChange) -> String {
    let place = if file.place == PlaceId::root() {
        String::new()
    } else {
        format!(" on {}", file.place)
    };
    let path = &file.path;
    match (&file.before, &file.after) {
        (None, Some(after)) => format!("{path}{place}: new, {} bytes", after.size),
        (Some(_), None) => format!("{path}{place}: removed"),
        (Some(before), Some(after)) if before.digest == after.digest => {
            format!("{path}{place}: permissions or owner")
        }
        (Some(before), Some(after)) => {
            format!(
                "{path}{place}: {} bytes, {} before",
                after.size, before.size
            )
        }
        (None, None) => format!("{path}{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_printed() {
        assert_eq!(printable("a\tb\n"), "a\tb\n");
        assert_eq!(printable("/etc/\u{1b}[2Jx\r"), "/etc/?[2Jx?");
    }

    #[test]
    fn a_file_for_the_stick_stays_in_its_folder() {
        assert!(is_name("guest-102-checklist.txt"));
        for path in ["/dev/sda", "../x", "a/b", "", ".", ".."] {
            assert!(!is_name(path), "{path}");
        }
    }
}
