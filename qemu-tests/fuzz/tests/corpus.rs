//! Every input that is kept is taken as it should be, without the engine that looks for new ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz::TARGETS;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn replay(run: fn(&[u8]), path: &Path) {
    // The harness prints this of a test that fails, and of no other.
    println!("{}", path.display());
    run(&fs::read(path).unwrap());
}

#[test]
fn every_target_takes_its_corpus() {
    for target in TARGETS {
        let inputs = files(&target.corpus());
        assert!(!inputs.is_empty(), "{} has no input", target.name);
        for path in inputs {
            let length = fs::metadata(&path).unwrap().len();
            assert!(length <= target.longest as u64, "{path:?} is too long");
            replay(target.run, &path);
        }
    }
}

#[test]
fn every_target_takes_the_input_of_all_others() {
    for target in TARGETS {
        for other in TARGETS {
            for path in files(&other.corpus()) {
                replay(target.run, &path);
            }
        }
    }
}

#[test]
fn every_target_takes_nothing_and_a_cut_input() {
    for target in TARGETS {
        (target.run)(&[]);
        for path in files(&target.corpus()) {
            let bytes = fs::read(&path).unwrap();
            for length in (0..bytes.len()).step_by(1 + bytes.len() / 64) {
                println!("{} cut to {length}", path.display());
                (target.run)(&bytes[..length]);
            }
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    let folders = files(&fuzz::corpora());
    let folders: BTreeSet<_> = folders
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(folders, names);
    assert_eq!(names.len(), TARGETS.len(), "two targets of one name");
}
