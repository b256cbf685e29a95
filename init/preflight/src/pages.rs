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
    let mut hunk = Hunk::default();
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches('\n');
        let is_of_a_file = hunk.takes(body);
        match !is_of_a_file && is_prose(body) && body.chars().count() > WIDTH {
            true => out.push_str(&broken(body)),
            false => out.push_str(body),
        }
        out.push_str(line.get(body.len()..).unwrap_or_default());
    }
    out
}

/// Everything in pages; a line that the terminal breaks counts as what it takes.
fn pages(text: &str) -> Vec<String> {
    let mut pages = vec![String::new()];
    let mut left = PAGE;
    for line in text.lines() {
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

/// Shows a text page by page. `show` gets each with the question behind it, where more follows, and says whether the
/// next one is wanted. `key` is what the question asks for.
pub fn turn<E>(
    text: &str,
    key: &str,
    mut show: impl FnMut(&str, Option<&str>) -> Result<bool, E>,
) -> Result<(), E> {
    let pages = pages(text);
    for (number, page) in (1..).zip(&pages) {
        let question = (number < pages.len()).then(|| {
            format!(
                "-- page {number} of {}: {key} for the next, q to end --",
                pages.len()
            )
        });
        if !show(page, question.as_deref())? {
            break;
        }
    }
    Ok(())
}

/// What is left of the part of a unified diff that has begun: lines of the old file, and of the new one.
#[derive(Default)]
struct Hunk {
    old: u64,
    new: u64,
}

impl Hunk {
    /// Whether a line is of a file.
    fn takes(&mut self, line: &str) -> bool {
        if self.old == 0 && self.new == 0 {
            *self = Self::begun_by(line).unwrap_or_default();
            return false;
        }
        // Nothing at all is an empty line of both files.
        let first = line.chars().next().unwrap_or(' ');
        if matches!(first, ' ' | '-') {
            self.old = self.old.saturating_sub(1);
        }
        if matches!(first, ' ' | '+') {
            self.new = self.new.saturating_sub(1);
        }
        true
    }

    /// By `@@ -LINE,COUNT +LINE,COUNT @@`, where a count of one is left out.
    fn begun_by(line: &str) -> Option<Self> {
        let (old, new) = line.strip_prefix("@@ -")?.split_once(" +")?;
        let (new, _) = new.split_once(" @@")?;
        let count = |range: &str| match range.split_once(',') {
            Some((_, count)) => count.parse().ok(),
            None => Some(1),
        };
        Some(Self {
            old: count(old)?,
            new: count(new)?,
        })
    }
}

/// Whether a line that is of no file is no other part of a unified diff: reasons, and what is listed behind two
/// blanks.
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
    let (within, rest) = text.split_at_checked(beyond)?;
    let fits = match rest.starts_with(' ') {
        true => Some(beyond),
        false => within.rfind(' '),
    };
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
        let hunk = format!("@@ -1,3 +1,2 @@\n  {long}\n\n-  {long}\n");
        let text = format!("# {long}\n{hunk}  {long}\n");
        let first = "word ".repeat(15);
        let rest = "word ".repeat(5);
        let (first, rest) = (first.trim_end(), rest.trim_end());
        let expected = format!("# {first}\n#   {rest}\n{hunk}  {first}\n    {rest}\n");
        assert_eq!(wrapped(&text), expected);
    }

    #[test]
    fn a_part_of_a_file_ends_where_its_counts_end() {
        let long = format!("  {}", "word ".repeat(20));
        let long = long.trim_end();
        let in_hunk = |header: &str, lines: &str| {
            let text = format!("{header}\n{lines}{long}\n");
            wrapped(&text) == text
        };
        assert!(in_hunk("@@ -1 +1,2 @@", "-a\n+b\n"));
        assert!(!in_hunk("@@ -1 +1 @@", "-a\n+b\n"));
        assert!(!in_hunk(
            "@@ -0,0 +1 @@",
            "+b\n\\ No newline at end of file\n"
        ));
        for none in ["", "@@", "@@ -1,x +1 @@", "@@ -1,9"] {
            assert!(!in_hunk(none, ""), "{none}");
        }
    }

    #[test]
    fn a_line_is_broken_before_what_does_not_fit_whatever_its_characters_are() {
        let line = format!("{} {}", "w".repeat(70), "\u{e4}".repeat(30));
        let (first, rest) = wrapped(&line)
            .split_once('\n')
            .map(|(first, rest)| (first.len(), rest.trim_start().chars().count()))
            .unwrap();
        assert_eq!((first, rest), (70, 30));
        let short = format!("a {} {}", "w".repeat(60), "\u{e4}".repeat(40));
        let wrapped = wrapped(&short);
        assert!(
            wrapped.starts_with(&format!("a {}\n", "w".repeat(60))),
            "{wrapped}"
        );
        let exact = format!("{} b", "\u{e4}".repeat(WIDTH));
        assert!(self::wrapped(&exact).ends_with("\n  b"));
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
        let mut questions = Vec::new();
        let shown_until = |last: usize, questions: &mut Vec<String>| {
            turn(&long, "Enter", |_, question| {
                questions.extend(question.map(str::to_owned));
                Ok::<_, ()>(questions.len() < last)
            })
        };
        shown_until(9, &mut questions).unwrap();
        assert_eq!(
            questions,
            [1, 2].map(|page| format!("-- page {page} of 3: Enter for the next, q to end --"))
        );
        questions.clear();
        shown_until(1, &mut questions).unwrap();
        assert_eq!(questions.len(), 1);
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
            let _ = pages(&wrapped(&text));
        }

        #[test]
        fn nothing_but_white_space_is_changed(text in "([ \\-+@#\u{e4}a-z0-9,\n]{0,40}|@@ -1,9 \\+1,9 @@\n| {2}[\u{e4}a ]{60,120}\n){0,8}") {
            let solid = |text: &str| text.replace([' ', '\n', '#'], "");
            prop_assert_eq!(solid(&wrapped(&text)), solid(&text));
        }
    }
}
