//! Text in columns, for a terminal of 80.

use std::borrow::Cow;

use super::super::output::harmless;

const WIDTH: usize = 80;
const NAMES: usize = 15;

/// A line with a name in front; what is longer than a line goes on below.
pub(super) fn field(text: &mut String, name: &str, value: &str) {
    let head = format!("  {name:NAMES$} ");
    wrapped(text, &head, value.split(' '), " ");
}

/// Words behind a head, as many in a line as fit.
pub(super) fn wrapped<'a>(
    text: &mut String,
    head: &str,
    words: impl IntoIterator<Item = &'a str>,
    between: &str,
) {
    let head = harmless(head);
    let indent = head.chars().count();
    let mut line = format!("\n{head}");
    let mut used = indent;
    let mut first = true;
    for word in words.into_iter().map(harmless) {
        let length = word.chars().count();
        if !first && used + between.len() + length > WIDTH {
            text.push_str(line_end(&line, between));
            line = format!("\n{:indent$}", "");
            used = indent;
            first = true;
        }
        if !first {
            line.push_str(between);
            used += between.len();
        }
        line.push_str(&word);
        used += length;
        first = false;
    }
    text.push_str(line.trim_end_matches(' '));
}

/// A comma stays at the end of its line.
fn line_end<'a>(line: &'a str, between: &str) -> &'a str {
    debug_assert!(between.ends_with(' '));
    line.trim_end_matches(' ')
}

/// Lines in columns: the last one as it is, those that begin with a digit to the right. The first line is the heading.
pub(super) fn columns<const N: usize>(text: &mut String, lines: &[[String; N]]) {
    let lines = lines
        .iter()
        .map(|line| line.each_ref().map(|cell| harmless(cell)));
    let lines: Vec<_> = lines.collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let is_number = |cell: &Cow<str>| cell.starts_with(|c: char| c.is_ascii_digit());
    let mut numbers = [true; N];
    for line in lines.iter().skip(1) {
        for (number, cell) in numbers.iter_mut().zip(line) {
            *number &= is_number(cell);
        }
    }
    for line in &lines {
        let mut shown = String::from(" ");
        for ((cell, width), number) in line.iter().zip(widths).zip(numbers) {
            shown.push(' ');
            shown.push_str(&match number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            });
            shown.push(' ');
        }
        text.push('\n');
        text.push_str(shown.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_go_on_below_and_stay_within_80_columns() {
        let mut text = String::new();
        field(&mut text, "version", &"word ".repeat(40));
        assert!(text.lines().count() > 2, "{text}");
        for line in text.lines().filter(|line| !line.is_empty()) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert!(
            text.lines()
                .nth(2)
                .unwrap()
                .starts_with("                  word"),
            "{text}"
        );
    }

    #[test]
    fn words_of_an_image_neither_begin_lines_nor_reach_the_terminal_as_orders() {
        let mut text = String::new();
        field(&mut text, "volume", "a\x1b[2J\nDAMAGED");
        columns(&mut text, &[["file\r".to_owned(), "b\nc".to_owned()]]);
        assert_eq!(text, "\n  volume          a?[2J?DAMAGED\n  file?  b?c");
    }

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let cells = |cells: [&str; 2]| cells.map(str::to_owned);
        let mut text = String::new();
        columns(
            &mut text,
            &[
                cells(["MB", "for"]),
                cells(["10.00", "a"]),
                cells(["1.00", "b"]),
            ],
        );
        assert_eq!(text, "\n     MB  for\n  10.00  a\n   1.00  b");
    }
}
