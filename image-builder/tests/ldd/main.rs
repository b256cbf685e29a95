//! Closures of this machine's own programs, held against what its loader says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{CASES, Case, link};
use image_builder::elf::{Closure, ElfFacts, Item, SystemRoot, UNWINDER};

/// Where programs are, and where packages keep those with libraries of their own.
const FOLDERS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/lib/git-core"];
/// So many at least, or the comparison says nothing.
const LEAST: usize = 30;
/// So many at most of those that ask for nothing unusual.
const PLAIN: usize = 40;
/// A larger one takes seconds to read and has no more to tell.
const LARGEST: u64 = 8 << 20;

fn skip(why: &str) {
    let must_run = ["CI", "PREFLIGHT_LAB"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    assert!(!must_run, "{why}");
    eprintln!("skipped: {why}");
}

/// Dynamic programs of this machine by path: all that say where their libraries are or what they open, and of the
/// others every n-th.
fn programs() -> Vec<PathBuf> {
    let (mut unusual, mut plain) = (Vec::new(), Vec::new());
    for path in FOLDERS.iter().flat_map(|folder| files(folder)) {
        let Some(facts) = ElfFacts::parse(&fs::read(&path).unwrap_or_default()) else {
            continue;
        };
        if !facts.linked || facts.is_static() {
            continue;
        }
        let says_where = !facts.rpath.is_empty() || !facts.runpath.is_empty();
        match says_where || !facts.opened.is_empty() {
            true => unusual.push(path),
            false => plain.push(path),
        }
    }
    let step = plain.len().div_ceil(PLAIN).max(1);
    unusual.extend(plain.into_iter().step_by(step));
    unusual
}

/// Regular files of a folder that are not too large, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_file = |path: &PathBuf| {
        fs::symlink_metadata(path).is_ok_and(|file| file.is_file() && file.len() <= LARGEST)
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(is_file).collect();
    paths.sort();
    paths
}

/// What the loader says about a program.
#[derive(Default)]
struct Loaded {
    /// Name and place, as the loader has them.
    found: BTreeMap<String, String>,
    missing: BTreeSet<String>,
}

/// Asks ldd(1); none where it says nothing about this file.
fn ldd(program: &Path) -> Option<Loaded> {
    let mut command = Command::new("ldd");
    command
        .arg(program)
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    let said = command.output().ok().filter(|said| said.status.success())?;
    let mut loaded = Loaded::default();
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        let line = line.trim();
        let place = |text: &str| text.split(" (0x").next().unwrap_or_default().to_owned();
        match line.split_once(" => ") {
            Some((name, "not found")) => {
                loaded.missing.insert(name.to_owned());
            }
            Some((name, rest)) => {
                loaded.found.insert(name.to_owned(), place(rest));
            }
            // The loader by its own path, and linux-vdso.so.1, which the kernel brings: no file has it (vdso(7)).
            None if line.starts_with('/') => {
                loaded.found.insert(place(line), place(line));
            }
            None => {}
        }
    }
    Some(loaded)
}

/// The file that a path of the image ends at, over links in it.
fn end_of(items: &BTreeMap<String, Item>, path: &str) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match items.get(&path)? {
            Item::File { .. } => return Some(path),
            Item::Link(target) if target.starts_with('/') => path = target.clone(),
            Item::Link(target) => {
                let (folder, _) = path.rsplit_once('/')?;
                path = format!("{folder}/{target}");
            }
        }
    }
    None
}

/// Everything that the file at `start` brings in by its needs, and by what is opened later when `opened` says so, which
/// ldd does not know: names are looked up in the image alone.
fn reached(items: &BTreeMap<String, Item>, start: &str, opened: bool) -> BTreeSet<String> {
    let by_name = |name: &str| {
        let fits = |path: &&String| path.as_str() == name || path.ends_with(&format!("/{name}"));
        let places = items.keys().filter(fits);
        places
            .filter_map(|path| end_of(items, path))
            .collect::<Vec<_>>()
    };
    let mut reached = BTreeSet::new();
    let mut todo = vec![start.to_owned()];
    while let Some(path) = todo.pop() {
        let Some(Item::File { content, .. }) = items.get(&path) else {
            panic!("{start}: {path} is no file of the image");
        };
        if !reached.insert(path.clone()) {
            continue;
        }
        let Some(facts) = ElfFacts::parse(content) else {
            continue;
        };
        let (folder, _) = path.rsplit_once('/').unwrap();
        let notes = facts.opened.iter().flatten().filter(|_| opened);
        let names = facts.needed.iter().chain(&facts.interpreter).chain(notes);
        let unwinder = (opened && facts.ends_threads).then(|| by_name(UNWINDER));
        todo.extend(names.flat_map(|name| by_name(&name.replace("$ORIGIN", folder))));
        todo.extend(unwinder.into_iter().flatten());
    }
    reached
}

/// A place as the loader says it, without links. A variant for newer processors counts as the one that runs on all
/// of them, which an image carries: `lib/glibc-hwcaps/x86-64-v3/libx.so` is another build of `lib/libx.so`.
fn plain_place(place: &str) -> String {
    let parts: Vec<&str> = place.split('/').collect();
    let at = parts.iter().position(|part| *part == "glibc-hwcaps");
    let kept = parts
        .iter()
        .enumerate()
        .filter(|(index, _)| at.is_none_or(|at| *index != at && *index != at + 1));
    let plain: Vec<&str> = kept.map(|(_, part)| *part).collect();
    let place = fs::canonicalize(plain.join("/")).unwrap();
    place.to_str().unwrap().to_owned()
}

/// What is wrong with our closure of a program, in the loader's eyes.
fn objections(program: &Path, loaded: &Loaded) -> Vec<String> {
    let root = SystemRoot::new(Path::new("/"));
    let mut closure = Closure::new(&root);
    let path = program.to_str().unwrap();
    if let Err(error) = closure.add(path, None) {
        let error = error.to_string();
        // What the loader does not find either, and nothing else, may keep a program out.
        let said = loaded
            .missing
            .iter()
            .any(|name| error.contains(name.as_str()));
        return if said {
            Vec::new()
        } else {
            vec![format!("{path}: {error}")]
        };
    }
    let items = closure.into_items();
    let start = end_of(&items, path).unwrap();
    let needed = reached(&items, &start, false);
    let places: BTreeMap<String, &String> = loaded
        .found
        .iter()
        .map(|(name, place)| (plain_place(place), name))
        .collect();
    let mut objections: Vec<String> = Vec::new();
    let missing = places.iter().filter(|(place, _)| !needed.contains(*place));
    objections
        .extend(missing.map(|(place, name)| format!("{path}: {name} at {place} is not carried")));
    let added = needed
        .iter()
        .filter(|place| **place != start && !places.contains_key(*place));
    objections.extend(added.map(|place| format!("{path}: {place} is carried, and not loaded")));
    objections.extend(
        loaded
            .missing
            .iter()
            .map(|name| format!("{path}: {name} is nowhere, and was found")),
    );
    // The rest is what notes say may be opened, the unwinder of threads, and nothing else.
    let all = reached(&items, &start, true);
    let files = items
        .iter()
        .filter(|(_, item)| matches!(item, Item::File { .. }));
    let stray = files.filter(|(file, _)| !all.contains(*file));
    objections.extend(stray.map(|(file, _)| format!("{path}: nothing asks for {file}")));
    objections
}

#[test]
fn the_closure_of_each_program_of_this_machine_is_what_its_loader_loads() {
    let mut compared = 0;
    let mut all = Vec::new();
    for program in programs() {
        let Some(loaded) = ldd(&program) else {
            continue;
        };
        compared += 1;
        all.extend(objections(&program, &loaded));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    if compared < LEAST {
        return skip(&format!(
            "ldd spoke about {compared} programs of this machine, and {LEAST} are wanted"
        ));
    }
    eprintln!("{compared} programs compared");
}

#[test]
fn libraries_in_unusual_places_are_those_that_the_loader_takes() {
    if Command::new("cc").arg("--version").output().is_err() {
        return skip("there is no C compiler (cc)");
    }
    for Case {
        what,
        files,
        carried,
        left_out,
        nowhere,
    } in CASES
    {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|file| link(folder.path(), file));
        let program = folder.path().join("prog");
        let loaded = ldd(&program).unwrap();
        assert_eq!(
            loaded.missing,
            nowhere.map(str::to_owned).into_iter().collect(),
            "{what}"
        );
        let ran = Command::new(&program).env_clear().status().unwrap();
        assert_eq!(ran.success(), nowhere.is_none(), "{what}");
        assert_eq!(
            objections(&program, &loaded),
            Vec::<String>::new(),
            "{what}"
        );

        let root = SystemRoot::new(Path::new("/"));
        let mut closure = Closure::new(&root);
        let added = closure.add(program.to_str().unwrap(), None);
        assert_eq!(added.is_ok(), nowhere.is_none(), "{what}: {added:?}");
        let items = closure.into_items();
        let is_in = |file: &&str| items.contains_key(folder.path().join(file).to_str().unwrap());
        let absent: Vec<_> = carried.iter().filter(|file| !is_in(file)).collect();
        let added: Vec<_> = left_out.iter().filter(|file| is_in(file)).collect();
        assert!(
            absent.is_empty() && added.is_empty(),
            "{what}: without {absent:?}, with {added:?}"
        );
    }
}
