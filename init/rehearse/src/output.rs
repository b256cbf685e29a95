use std::collections::VecDeque;

/// The lines that stay of what a program prints: the last ones, where it prints more.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    kept: VecDeque<String>,
    dropped: usize,
    open: Vec<u8>,
}

/// So many lines are kept.
const MOST: usize = 2_000;
/// A longer line is cut.
const LONGEST: usize = 4_096;

impl Lines {
    /// Takes in some bytes; `each` is told every line that they complete.
    pub fn add(&mut self, bytes: &[u8], each: &mut dyn FnMut(&str)) {
        for byte in bytes {
            match byte {
                b'\n' => self.close(each),
                _ if self.open.len() < LONGEST => self.open.push(*byte),
                _ => {}
            }
        }
    }

    fn close(&mut self, each: &mut dyn FnMut(&str)) {
        let line = std::mem::take(&mut self.open);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        each(&line);
        if self.kept.len() == MOST {
            self.kept.pop_front();
            self.dropped += 1;
        }
        self.kept.push_back(line);
    }

    /// All that was kept, and how many lines before it were not.
    pub fn end(mut self, each: &mut dyn FnMut(&str)) -> (Vec<String>, usize) {
        if !self.open.is_empty() {
            self.close(each);
        }
        (self.kept.into(), self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_when_they_are_whole_and_the_last_one_at_the_end() {
        let mut told = Vec::new();
        let mut each = |line: &str| told.push(line.to_owned());
        let mut lines = Lines::default();
        lines.add(b"one\ntw", &mut each);
        lines.add(b"o\r\nthree", &mut each);
        assert_eq!(
            lines.end(&mut each),
            (
                vec!["one".to_owned(), "two".to_owned(), "three".to_owned()],
                0
            )
        );
        assert_eq!(told, ["one", "two", "three"]);
    }

    #[test]
    fn a_program_that_prints_without_end_fills_no_memory() {
        let mut lines = Lines::default();
        lines.add(&vec![b'x'; 10 * LONGEST], &mut |_| {});
        lines.add(b"\n", &mut |_| {});
        for number in 0..MOST + 5 {
            lines.add(format!("{number}\n").as_bytes(), &mut |_| {});
        }
        let (kept, dropped) = lines.end(&mut |_| {});
        assert_eq!((kept.len(), dropped), (MOST, 6));
        assert_eq!(kept.last().unwrap(), &(MOST + 4).to_string());
    }
}
