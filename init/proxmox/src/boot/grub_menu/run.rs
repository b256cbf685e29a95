use std::collections::BTreeMap;

use super::script::{Branch, Part, Statement, Word};
use super::{GrubEntry, GrubLinux, GrubMenu};
use crate::command_line::CommandLine;

/// What GRUB's normal mode sets before it reads a configuration (grub-core/normal/main.c, features).
const FEATURES: [&str; 9] = [
    "feature_chainloader_bpb",
    "feature_ntldr",
    "feature_platform_search_hint",
    "feature_default_font_path",
    "feature_all_video_module",
    "feature_menuentry_id",
    "feature_menuentry_options",
    "feature_200_final",
    "feature_nativedisk_cmd",
];

/// Longer words are cut: `set a=$a$a` doubles.
const LONGEST: usize = 64 << 10;
/// All words of a run together, in bytes: a word may be a few bytes in the file and [`LONGEST`] when it is run.
/// The longest menus of real hosts stay below one MiB.
const WORDS: usize = 16 << 20;
/// No host has more entries.
const ENTRIES: usize = 4096;

type Variables = BTreeMap<String, String>;

pub(super) fn run(
    statements: &[Statement],
    environment: Option<&BTreeMap<String, String>>,
    platform: &str,
) -> GrubMenu {
    let mut variables: Variables = FEATURES
        .iter()
        .map(|name| ((*name).to_owned(), "y".to_owned()))
        .collect();
    variables.insert("grub_platform".to_owned(), platform.to_owned());
    let mut state = State {
        environment,
        variables,
        level: GrubEntry::default(),
        certain: true,
        left: WORDS,
        entries: ENTRIES,
        depth: 0,
        before: Vec::new(),
    };
    state.run(statements);
    if state.left == 0 || state.entries == 0 {
        state.certain = false;
    }
    let once = environment
        .and_then(|environment| environment.get("next_entry"))
        .is_some_and(|entry| !entry.is_empty());
    GrubMenu {
        entries: state.level.children,
        default: state.variables.remove("default").unwrap_or_default(),
        certain: state.certain,
        once,
    }
}

struct State<'a> {
    environment: Option<&'a BTreeMap<String, String>>,
    variables: Variables,
    /// The menu, or the entry, whose commands run.
    level: GrubEntry,
    certain: bool,
    /// Bytes of words that may still be made.
    left: usize,
    /// Entries that may still be made.
    entries: usize,
    /// Entries that the commands which run now lie in.
    depth: usize,
    /// What variables were before an entry changed them, the last change last.
    before: Vec<(String, Option<String>)>,
}

impl State<'_> {
    fn run(&mut self, statements: &[Statement]) {
        for statement in statements {
            if self.left == 0 {
                return;
            }
            match statement {
                Statement::Command { words, line } => {
                    let words = self.expand(words);
                    self.command(&words, *line);
                }
                Statement::If(branches) => self.branch(branches),
                Statement::Menu {
                    submenu,
                    words,
                    body,
                    line,
                } => {
                    let words = self.expand(words);
                    self.menu(*submenu, &words, body, *line);
                }
            }
        }
    }

    fn branch(&mut self, branches: &[Branch]) {
        for branch in branches {
            let holds = branch
                .condition
                .as_ref()
                .map_or(Some(true), |condition| self.holds(condition));
            match holds {
                Some(true) => {
                    self.run(&branch.body);
                    return;
                }
                Some(false) => {}
                None => {
                    // Not taken, but if it decides the default, the default is not certain.
                    if sets_default(&branch.body) {
                        self.certain = false;
                    }
                }
            }
        }
    }

    fn holds(&mut self, condition: &[Statement]) -> Option<bool> {
        let Some(Statement::Command { words, .. }) = condition.last() else {
            return None;
        };
        let words: Vec<String> = words.iter().map(|word| self.word(word)).collect();
        if self.left == 0 {
            return None;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let test = match words.as_slice() {
            ["[", inner @ .., "]"] | ["test", inner @ ..] => inner,
            ["true"] => return Some(true),
            ["false"] => return Some(false),
            _ => return None,
        };
        self.test(test)
    }

    fn test(&self, test: &[&str]) -> Option<bool> {
        // A file may negate more often than the stack is deep.
        let negations = test.iter().take_while(|word| **word == "!").count();
        let holds = self.plain_test(test.get(negations..).unwrap_or_default())?;
        Some(holds != (negations % 2 == 1))
    }

    fn plain_test(&self, test: &[&str]) -> Option<bool> {
        match test {
            [] => Some(false),
            ["-n", text] => Some(!text.is_empty()),
            ["-z", text] => Some(text.is_empty()),
            ["-s" | "-f" | "-e", path] if path.ends_with("/grubenv") => {
                Some(self.environment.is_some())
            }
            [one, "=" | "==", other] => Some(one == other),
            [one, "!=", other] => Some(one != other),
            [text] => Some(!text.is_empty()),
            _ => None,
        }
    }

    fn menu(&mut self, submenu: bool, words: &[String], body: &[Statement], line: usize) {
        let Some(left) = self.entries.checked_sub(1) else {
            return;
        };
        self.entries = left;
        let mut entry = GrubEntry {
            title: words.first().cloned().unwrap_or_default(),
            line: number(line),
            submenu,
            ..GrubEntry::default()
        };
        let options = words.iter().skip(1).zip(words.iter().skip(2));
        for (option, value) in options {
            if option == "--id" || option == "$menuentry_id_option" {
                entry.id = Some(value.clone());
            }
        }
        if let Some(given) = words.iter().find_map(|word| word.strip_prefix("--id=")) {
            entry.id = Some(given.to_owned());
        }
        // An entry's own settings end with it.
        let mark = self.before.len();
        let above = std::mem::replace(&mut self.level, entry);
        self.depth += 1;
        self.run(body);
        self.depth -= 1;
        let entry = std::mem::replace(&mut self.level, above);
        while self.before.len() > mark {
            match self.before.pop() {
                Some((name, Some(value))) => self.variables.insert(name, value),
                Some((name, None)) => self.variables.remove(&name),
                None => None,
            };
        }
        self.level.children.push(entry);
    }

    fn command(&mut self, words: &[String], line: usize) {
        let Some((command, arguments)) = words.split_first() else {
            return;
        };
        match command.as_str() {
            "set" => {
                if let Some((name, value)) = arguments.first().and_then(|word| word.split_once('='))
                {
                    self.set(name, value);
                }
            }
            "unset" => {
                for name in arguments {
                    self.put(name, None);
                }
            }
            "load_env" => {
                for (name, value) in self.environment.into_iter().flatten() {
                    self.left = self.left.saturating_sub(name.len() + value.len());
                    if self.left == 0 {
                        return;
                    }
                    self.put(name, Some(value.clone()));
                }
            }
            "linux" | "linux16" | "linuxefi" => {
                let Some((kernel, rest)) = arguments.split_first() else {
                    return;
                };
                self.level.linux = Some(GrubLinux {
                    kernel: inside(kernel),
                    command_line: CommandLine::from(rest.join(" ").as_str()),
                    initrds: Vec::new(),
                    line: number(line),
                });
            }
            "initrd" | "initrd16" | "initrdefi" => {
                if let Some(linux) = &mut self.level.linux {
                    linux.initrds = arguments.iter().map(|path| inside(path)).collect();
                }
            }
            other => {
                if let Some((name, value)) = other.split_once('=') {
                    self.set(name, value);
                }
            }
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        if name == "default" {
            self.certain = true;
        }
        self.put(name, Some(value.to_owned()));
    }

    fn put(&mut self, name: &str, value: Option<String>) {
        let old = match value {
            Some(value) => self.variables.insert(name.to_owned(), value),
            None => self.variables.remove(name),
        };
        if self.depth > 0 {
            self.before.push((name.to_owned(), old));
        }
    }

    fn expand(&mut self, words: &[Word]) -> Vec<String> {
        let kept = words.iter().filter_map(|word| {
            let text = self.word(word);
            // An unquoted variable that is empty leaves no word behind.
            (!text.is_empty() || word.quoted).then_some(text)
        });
        kept.collect()
    }

    fn word(&mut self, word: &Word) -> String {
        let mut text = String::new();
        for part in &word.parts {
            let part = match part {
                Part::Text(literal) => literal.as_str(),
                Part::Variable(name) => self.variables.get(name).map_or("", String::as_str),
            };
            let room = LONGEST.min(self.left).saturating_sub(text.len());
            text.push_str(
                part.get(..part.floor_char_boundary(room))
                    .unwrap_or_default(),
            );
        }
        self.left = self.left.saturating_sub(text.len());
        text
    }
}

/// Without `($root)` or `(hd0,gpt2)` before it: the path inside GRUB's root.
fn inside(path: &str) -> String {
    let path = path
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map_or(path, |(_, rest)| rest);
    path.to_owned()
}

fn sets_default(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| {
        match statement {
        Statement::Command { words, .. } => words.iter().any(|word| {
            matches!(word.parts.first(), Some(Part::Text(text)) if text.starts_with("default="))
        }),
        Statement::If(branches) => branches.iter().any(|branch| sets_default(&branch.body)),
        Statement::Menu { .. } => false,
    }
    })
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
