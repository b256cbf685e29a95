//! Text for a console that shows 80 columns and 25 lines, and cannot be scrolled back.

/// Columns; in the last one a terminal would begin a new line of its own.
const WIDTH: usize = 79;
/// Lines, so that the question behind them is seen too.
const PAGE: usize = 23;
/// Where prose goes on.
const INDENT: &str = "  ";

/// Prose broken between words where it is too long. Lines of files are left to the terminal: a break would look like
/// theirs.
pub fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches('\n');
        match is_prose(body) && body.chars().count() > WIDTH {
            true => out.push_str(&broken(body)),
            false => out.push_str(body),
        }
        out.push_str(line.get(body.len()..).unwrap_or_default());
    }
    out
}

/// Everything in pages; a line that the terminal breaks counts as what it takes.
pub fn pages(text: &str) -> Vec<String> {
    let mut pages = vec![String::new()];
    let mut left = PAGE;
    for line in wrapped(text).lines() {
        let takes = line.chars().count().div_ceil(WIDTH + 1).max(1);
        if takes > left && left < PAGE {
            pages.push(String::new());
            left = PAGE;
        }
        left = left.saturating_sub(takes);
        if let Some(page) = pages.last_mut() {
            page.push_str(line);
            page.push('\n');
        }
    }
    pages
}

/// Whether a line is no part of a unified diff: reasons, and what is listed behind two blanks.
fn is_prose(line: &str) -> bool {
    let mut characters = line.chars();
    match (characters.next(), characters.next()) {
        (Some(' '), Some(' ')) => line
            .trim_start()
            .starts_with(|first: char| first.is_alphanumeric()),
        (Some(first), _) => first.is_alphanumeric() || first == '#' || first == '\'',
        (None, _) => false,
    }
}

fn broken(line: &str) -> String {
    let sign = if line.starts_with("# ") { "# " } else { "" };
    let rest = line.get(sign.len()..).unwrap_or_default();
    let blanks = rest.len() - rest.trim_start().len();
    let begin = format!("{sign}{}", rest.get(..blanks).unwrap_or_default());
    let mut rest = rest.trim_start();
    let mut open = begin.clone();
    let mut lines: Vec<String> = Vec::new();
    while let Some((now, later)) = parted(rest, WIDTH.saturating_sub(open.chars().count())) {
        lines.push(std::mem::replace(&mut open, format!("{begin}{INDENT}")) + now);
        rest = later;
    }
    lines.push(open + rest);
    lines.join("\n")
}

/// What is longer than this, parted at the last blank before, else at the first one behind.
fn parted(text: &str, longest: usize) -> Option<(&str, &str)> {
    let (beyond, _) = text.char_indices().nth(longest)?;
    let fits = text.get(..=beyond).and_then(|start| start.rfind(' '));
    let (now, later) = text.split_at_checked(fits.or_else(|| text.find(' '))?)?;
    Some((now.trim_end(), later.trim_start()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prose_is_broken_between_words_and_files_are_left_as_they_are() {
        let long = "word ".repeat(20);
        let long = long.trim_end();
        let text = format!("# {long}\n+{long}\n {long}\n  {long}\n");
        let first = "word ".repeat(15);
        let rest = "word ".repeat(5);
        let expected = format!(
            "# {}\n#   {}\n+{long}\n {long}\n  {}\n    {}\n",
            first.trim_end(),
            rest.trim_end(),
            first.trim_end(),
            rest.trim_end()
        );
        assert_eq!(wrapped(&text), expected);
    }

    #[test]
    fn columns_of_a_list_stay_where_they_are() {
        let name = "word ".repeat(20);
        let text = wrapped(&format!("   5  0000:00:05.0  {}", name.trim_end()));
        assert!(text.starts_with("   5  0000:00:05.0  word word"), "{text}");
        assert!(text.contains("\n     word"), "{text}");
    }

    #[test]
    fn a_page_is_what_a_screen_shows_and_nothing_is_lost() {
        let text: String = (0..60).map(|number| format!("+{number}\n")).collect();
        let long = format!("{text}+{}\n", "x".repeat(400));
        let pages = pages(&long);
        assert_eq!(pages.concat(), long);
        let shown = |page: &String| -> usize {
            page.lines()
                .map(|line| line.len().div_ceil(80).max(1))
                .sum()
        };
        assert_eq!(pages.iter().map(shown).collect::<Vec<_>>(), [23, 23, 20]);
    }

    proptest! {
        #[test]
        fn every_word_stays_and_no_line_of_prose_with_short_words_is_too_long(
            words in proptest::collection::vec("[a-z]{1,12}", 1..60), indent in 0_usize..6,
        ) {
            let text = format!("{}{}", " ".repeat(indent * 2), words.join(" "));
            let wrapped = wrapped(&text);
            prop_assert!(wrapped.lines().all(|line| line.len() <= WIDTH));
            prop_assert_eq!(wrapped.split_whitespace().collect::<Vec<_>>(), words);
        }

        #[test]
        fn any_text_is_taken(text in "(?s).{0,300}") {
            let _ = pages(&text);
        }
    }
}
