//! The first boot of a stick, and a later one, and what they leave when the power goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gptman::GPT;
use qemu_tests::power_cut::{Bounds, Canvas, CrashState, Recording, Replay};
use qemu_tests::{Stick, UsbTransport, stick};
use storage::{PartitionEntry, partition_table};

use crate::lab::{Lab, Seen, machine, without_stick};

/// Bytes of a stick that the image is much smaller than.
pub const STICK: u64 = 300 << 20;

/// Where the first partition begins.
const BOOT_FILES: usize = 1 << 20;

/// What a run's folder is called until it is whole.
const UNFINISHED: &str = "UNFINISHED";

/// A stick that the image was written to, and what must never change of it.
pub struct Written {
    pub stick: Stick,
    table: Vec<PartitionEntry>,
    place: Range<usize>,
    boot_files: Vec<u8>,
    saved: Vec<stick::File>,
}

impl Written {
    /// One with nothing else on it.
    pub fn new(lab: &Lab) -> Self {
        Self::with(lab, &[])
    }

    /// One with these files in its place for results.
    fn with(lab: &Lab, files: &[(&str, &str, &[u8])]) -> Self {
        let stick = lab.stick(&[]);
        stick.add(files).unwrap();
        Self::of_image(stick.path())
    }

    /// A stick that this image becomes.
    pub fn of_image(image: &Path) -> Self {
        let file = File::options().write(true).open(image).unwrap();
        file.set_len(STICK).unwrap();
        let stick = Stick::of_image(image);
        let place = stick.place().unwrap();
        let table = partition_table(stick.path()).unwrap();
        assert_eq!(table.len(), 3);
        Self {
            table,
            boot_files: boot_files(stick.path(), place.start),
            saved: stick.files().unwrap(),
            place,
            stick,
        }
    }

    /// A recording of all that is written to it from now on.
    pub fn recorded(&self, lab: &Lab, name: &str) -> Recording {
        Recording::new(lab.folder(), name, &[self.stick.path()]).unwrap()
    }

    /// Nothing that a boot needs is lost, and no report; gives what there is to go on from.
    pub fn judge(&self, disk: &Path) -> State {
        let table = partition_table(disk).unwrap();
        assert_eq!(table[..2], self.table[..2]);
        assert_eq!(table.len(), 3);
        assert_eq!(table[2].kind, self.table[2].kind);
        assert!(boot_files(disk, self.place.start) == self.boot_files);
        let (place, whole) = first_table(disk);
        let is_small = place == self.place;
        assert!(is_small || place.start >= self.place.end, "{place:?}");
        let stick = Stick::of_image(disk);
        assert_eq!(stick.place().unwrap(), place);
        let files = stick.files_outside(Some(UNFINISHED)).unwrap();
        for file in &self.saved {
            assert!(files.contains(file), "{} is lost", file.path);
        }
        let names = stick.names().unwrap();
        for name in names.iter().filter(|name| *name != UNFINISHED) {
            let is_in_it = |file: &stick::File| file.path.starts_with(&format!("{name}/"));
            assert!(files.iter().any(is_in_it), "{name} is empty");
        }
        let is_fresh = |file: &stick::File| !self.saved.contains(file);
        State {
            is_small,
            whole,
            has_unfinished: names.iter().any(|name| name == UNFINISHED),
            run: files.into_iter().filter(is_fresh).collect(),
        }
    }

    pub fn is_sound_and_large(&self, disk: &Path) {
        let stick = Stick::of_image(disk);
        let place = stick.place().unwrap();
        assert!(place.len() as u64 > STICK / 2, "{place:?}");
        assert!(place.end as u64 > STICK - (2 << 20), "{place:?}");
        assert_eq!(complaint_of_sgdisk(disk), None);
        assert_eq!(stick.complaint().unwrap(), None);
    }
}

/// What a power cut has left, as far as the next boot can tell.
pub struct State {
    is_small: bool,
    /// The first table has its entries where they belong.
    whole: bool,
    has_unfinished: bool,
    /// Files in finished folders.
    run: Vec<stick::File>,
}

/// Whose next boots have the same to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    is_small: bool,
    whole: bool,
    has_unfinished: bool,
    has_run: bool,
}

impl State {
    fn class(&self) -> Class {
        Class {
            is_small: self.is_small,
            whole: self.whole,
            has_unfinished: self.has_unfinished,
            has_run: !self.run.is_empty(),
        }
    }
}

/// All between the partition table and the place for results as the image has it.
fn boot_files(disk: &Path, end: usize) -> Vec<u8> {
    let mut bytes = vec![0; end - BOOT_FILES];
    let image = File::open(disk).unwrap();
    image.read_exact_at(&mut bytes, BOOT_FILES as u64).unwrap();
    bytes
}

/// Where the first table, which is all that most programs read, has the place for results, and whether its entries
/// are right behind it.
fn first_table(disk: &Path) -> (Range<usize>, bool) {
    let mut image = File::open(disk).unwrap();
    let table = GPT::read_from(&mut image, 512).unwrap();
    assert_eq!(table.header.primary_lba, 1, "the first table is not whole");
    let byte = |sector: u64| usize::try_from(sector * 512).unwrap();
    let entry = &table[3];
    let place = byte(entry.starting_lba)..byte(entry.ending_lba + 1);
    (place, table.header.partition_entry_lba == 2)
}

fn complaint_of_sgdisk(disk: &Path) -> Option<String> {
    let said = Command::new("sgdisk").arg("-v").arg(disk).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    (!said.contains("No problems found")).then_some(said)
}

/// At most so many crash states of the recording, judged, in the order of the recording; the report of the boot is
/// whole wherever it is, and in the last state it is there.
pub fn judge_states<'a>(
    lab: &Lab,
    written: &Written,
    replay: &'a Replay,
    seen: &Seen,
    most: usize,
) -> Vec<(CrashState<'a>, Class)> {
    let mut canvas = Canvas::new(replay, 0, &lab.folder().join("canvas")).unwrap();
    canvas.show(&replay.complete()).unwrap();
    let after = written.judge(canvas.path()).run;
    let folder = &seen.result.saved.as_ref().unwrap().folder;
    assert!(!after.is_empty() && after.iter().all(|file| file.path.starts_with(folder)));
    let sample = replay.sample(Bounds::default(), most);
    let mut judged = Vec::new();
    for state in sample.states {
        canvas.show(&state).unwrap();
        let found = written.judge(canvas.path());
        assert!(
            found.run.is_empty() || found.run == after,
            "{state}: a report is torn"
        );
        judged.push((state.clone(), found.class()));
    }
    let classes: BTreeSet<Class> = judged.iter().map(|(_, class)| *class).collect();
    eprintln!(
        "{} of {} states are sound: {classes:#?}",
        judged.len(),
        sample.of
    );
    judged
}

/// The first state of each class.
fn one_of_each<'s, 'a>(
    judged: &'s [(CrashState<'a>, Class)],
) -> BTreeMap<Class, &'s CrashState<'a>> {
    let mut found = BTreeMap::new();
    for (state, class) in judged {
        found.entry(*class).or_insert(state);
    }
    found
}

/// A copy of the disk as it is in this state.
fn copy_of(lab: &Lab, replay: &Replay, state: &CrashState<'_>) -> PathBuf {
    let path = lab.folder().join("after-cut.img");
    Canvas::new(replay, 0, &path).unwrap().show(state).unwrap();
    path
}

/// A recorded first boot of a stick, whose kernel is given by QEMU.
fn boot(lab: &Lab, name: &str, written: &Written) -> (Replay, Seen) {
    let recording = written.recorded(lab, name);
    let machine = without_stick().recorded_stick(&recording, UsbTransport::AttachedScsi);
    let mut run = lab.start_kernel(&format!("media-{name}"), machine);
    let seen = lab.finish(&mut run);
    (Replay::of(&recording).unwrap(), seen)
}

#[test]
#[ignore = "takes long: make soak"]
fn in_every_crash_state_of_a_first_boot_the_boot_files_are_there_and_the_next_boot_makes_it_good() {
    let Some(lab) = Lab::open() else { return };
    let written = Written::new(&lab);
    let (replay, seen) = boot(&lab, "first-boot", &written);
    let judged = judge_states(&lab, &written, &replay, &seen, usize::MAX);
    assert!(judged.len() > 50, "{}", judged.len());
    let classes = one_of_each(&judged);
    for is_small in [true, false] {
        assert!(classes.keys().any(|class| class.is_small == is_small));
    }
    for (number, (class, state)) in classes.into_iter().enumerate() {
        let path = copy_of(&lab, &replay, state);
        let stick = Stick::of_image(&path);
        let mut run = lab.start(&format!("media-after-cut-{number}"), machine(&stick));
        lab.choose(&mut run, "");
        let again = lab.finish(&mut run);
        eprintln!("{state}: {class:?}");
        assert_eq!(again.result.save_error, None);
        let after = written.judge(&path);
        assert!(!after.has_unfinished && !after.is_small && after.whole);
        let folder = again.result.saved.unwrap().folder;
        let ends = format!("{folder}/report.json");
        assert!(after.run.iter().any(|file| file.path == ends));
        assert_eq!(complaint_of_sgdisk(&path), None);
        if !class.has_unfinished && !class.has_run {
            written.is_sound_and_large(&path);
        }
    }
}

#[test]
#[ignore = "takes long: make soak"]
fn in_every_crash_state_of_a_first_boot_a_report_that_was_saved_before_is_there() {
    let Some(lab) = Lab::open() else { return };
    let report = [7; 50_000];
    let written = Written::with(&lab, &[("LAB-0001-1", "report.txt", &report)]);
    let (replay, seen) = boot(&lab, "kept-report", &written);
    let judged = judge_states(&lab, &written, &replay, &seen, usize::MAX);
    assert!(judged.len() > 20, "{}", judged.len());
    assert!(judged.iter().all(|(_, class)| class.is_small));
}

/// Runs whose entries end two before the end of a sector of the root: the entry of the run in the making fills it,
/// and that of the finished run begins the next one, so that its rename is two writes.
const RUNS: [&str; 6] = [
    "LABORATORY-0001-1",
    "LAB-0001-1",
    "LAB-0001-2",
    "LAB-0001-3",
    "LAB-0001-4",
    "LAB-0001-5",
];

#[test]
#[ignore = "takes long: make soak"]
fn a_run_that_got_its_name_in_the_instant_of_a_power_cut_outlives_the_next_boot() {
    let Some(lab) = Lab::open() else { return };
    let report = [7; 5_000];
    let runs = RUNS.map(|name| (name, "report.txt", report.as_slice()));
    let written = Written::with(&lab, &runs);
    let (replay, seen) = boot(&lab, "later-boot", &written);
    let judged = judge_states(&lab, &written, &replay, &seen, usize::MAX);
    let has_two_names = |class: &Class| class.has_unfinished && class.has_run;
    let (state, _) = judged
        .iter()
        .find(|(_, class)| has_two_names(class))
        .expect("no state has the run under both names");
    let path = copy_of(&lab, &replay, state);
    let before = written.judge(&path).run;
    let stick = Stick::of_image(&path);
    let mut run = lab.start("media-after-rename", machine(&stick));
    lab.choose(&mut run, "");
    let again = lab.finish(&mut run);
    assert_eq!(again.result.save_error, None);
    let after = written.judge(&path).run;
    let folder = again.result.saved.unwrap().folder;
    let ends = format!("{folder}/report.json");
    assert!(after.iter().any(|file| file.path == ends));
    for file in &before {
        assert!(after.contains(file), "{state}: {} is lost", file.path);
    }
}
