//! The power goes while a change is written: what every boot loader then reads, what a kernel recovers, and what
//! becomes of it.

mod again;
mod loader;
mod recovery;
mod ways;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qemu_tests::Machine;
use qemu_tests::power_cut::{Bounds, Canvas, CrashState, Recording, Replay, Sample, Served};

use crate::lab::Lab;
use loader::{Loader, View};
use recovery::{DISKS, Progress, Recovered};

/// How closely a recorded change is looked at.
#[derive(Clone, Copy)]
pub struct Look {
    /// So many states.
    pub states: usize,
    /// How many of the states between two flushes there are to choose from.
    pub bounds: Bounds,
    /// All of every file system is checked, too.
    pub thorough: bool,
}

/// Few of the states between two flushes.
pub const FEW: Bounds = Bounds {
    every_subset: 3,
    of_a_kind: 4,
    drawn: 4,
    atomic: 4096,
};

/// The disks of an installed system, with every write and flush recorded in one order.
pub struct Recorded {
    recording: Recording,
}

/// A recorded change, to be cut anywhere.
pub struct Cuts {
    replay: Arc<Replay>,
    served: Served,
}

/// States that are the same to whoever meets them.
pub struct Class<'a> {
    /// Of each selector whether it is old or new, by a letter, and how far the change has come.
    name: String,
    first: CrashState<'a>,
    progress: Progress,
    /// Whether the new system starts; not known where that is another thing on each ESP.
    starts_new: Option<bool>,
    states: usize,
}

impl Recorded {
    /// The disks as they were installed.
    pub fn of(lab: &Lab) -> Self {
        let overlays = lab.disks("base");
        let raw: Vec<PathBuf> = overlays.iter().map(|disk| lab.raw(disk)).collect();
        let raw: Vec<&Path> = raw.iter().map(PathBuf::as_path).collect();
        let recording = Recording::new(lab.folder(), "commit", &raw).unwrap();
        Self {
            recording: recording.at(lab.installed.golden().bus()),
        }
    }

    /// The machine of the system with these disks, and enough memory for a rehearsal.
    pub fn machine(&self, lab: &Lab) -> Machine {
        self.recording.on(lab.stick_machine(&[]))
    }

    /// What was recorded, when the guest has ended.
    pub fn cuts(self, lab: &Lab) -> Cuts {
        let replay = Arc::new(Replay::of(&self.recording).unwrap());
        let served = Served::new(&replay, lab.folder()).unwrap();
        // It has the length of all disks, and the recording says all that is in it.
        fs::remove_file(self.recording.common()).unwrap();
        Cuts { replay, served }
    }
}

impl Cuts {
    /// Disks as they are in a state.
    pub fn disks(&self, lab: &Lab, name: &str, state: &CrashState<'_>) -> Vec<PathBuf> {
        self.served
            .overlays(&lab.qemu, state, lab.folder(), name)
            .unwrap()
    }

    /// Disks as they are when the power did not go.
    pub fn complete(&self, lab: &Lab) -> Vec<PathBuf> {
        self.disks(lab, "applied", &self.replay.complete())
    }

    /// Looks at different states: each loader reads what is wholly old or wholly new, as far as one selector reaches; a
    /// kernel recovers every file system, and each file in it is old or new. Gives their classes.
    pub fn judge(&self, lab: &Lab, look: Look) -> Vec<Class<'_>> {
        let Sample { states, of: total } = self.replay.sample(look.bounds, look.states);
        assert_eq!(states.len(), look.states, "there are only {total} states");
        let views = self.views(lab, &states);
        let (old, new) = (&views[0], &views[views.len() - 1]);
        let letters: Vec<_> = views.iter().map(|view| letters(view, old, new)).collect();
        let mut complaints: Vec<String> = Vec::new();
        for (state, letters) in states.iter().zip(&letters) {
            let wrong = letters.as_ref().err();
            complaints.extend(wrong.map(|why| format!("{state}: a loader reads {why}")));
        }
        let recovered = self.recovered(lab, &states, look.thorough);
        complaints.extend(torn(&states, &recovered));
        assert!(
            complaints.is_empty(),
            "{} complaints about {} states:\n{}",
            complaints.len(),
            states.len(),
            complaints[..complaints.len().min(5)].join("\n")
        );
        let mut classes: BTreeMap<String, Class<'_>> = BTreeMap::new();
        for ((state, letters), recovered) in states.iter().zip(letters).zip(recovered) {
            let (Ok(letters), Ok(recovered)) = (letters, recovered) else {
                continue;
            };
            let name = format!("{letters}-{:?}", recovered.progress);
            let class = classes.entry(name.clone()).or_insert_with(|| Class {
                name,
                first: state.clone(),
                progress: recovered.progress,
                starts_new: match (letters.contains('o'), letters.contains('n')) {
                    (true, true) => None,
                    (_, new) => Some(new),
                },
                states: 0,
            });
            class.states += 1;
        }
        println!(
            "{} of {total} states, {} classes:",
            states.len(),
            classes.len()
        );
        for class in classes.values() {
            println!(
                "  {}: {} states, the first: {}",
                class.name, class.states, class.first
            );
        }
        classes.into_values().collect()
    }

    /// What the loaders read in each state.
    fn views(&self, lab: &Lab, states: &[CrashState<'_>]) -> Vec<Vec<View>> {
        let count = lab.installed.disks.len();
        let canvas = |disk| {
            let path = lab.folder().join(format!("canvas-{disk}"));
            Canvas::new(&self.replay, disk, &path).unwrap()
        };
        let mut canvases: Vec<Canvas<'_>> = (0..count).map(canvas).collect();
        let loaders = Loader::all(&lab.installed.manifest);
        assert!(!loaders.is_empty());
        let mut look = |state: &CrashState<'_>| {
            for canvas in &mut canvases {
                canvas.show(state).unwrap();
            }
            let images: Vec<&Path> = canvases.iter().map(Canvas::path).collect();
            loaders.iter().map(|loader| loader.view(&images)).collect()
        };
        let views = states.iter().map(&mut look).collect();
        for canvas in &canvases {
            fs::remove_file(canvas.path()).unwrap();
        }
        views
    }

    /// What a kernel recovers of each state.
    fn recovered(
        &self,
        lab: &Lab,
        states: &[CrashState<'_>],
        thorough: bool,
    ) -> Vec<Result<Recovered, String>> {
        let mut all = Vec::new();
        for (round, states) in states.chunks(DISKS / lab.installed.disks.len()).enumerate() {
            let disks = states.iter().enumerate().map(|(number, state)| {
                self.disks(lab, &format!("recovered-{round}-{number}"), state)
            });
            all.extend(lab.recover(
                &format!("recover-{round}"),
                &disks.collect::<Vec<_>>(),
                thorough,
            ));
        }
        all
    }
}

/// A letter for each selector that differs before and after, or what is neither.
fn letters(views: &[View], old: &[View], new: &[View]) -> Result<String, String> {
    let mut letters = String::new();
    for ((view, old), new) in views.iter().zip(old).zip(new) {
        let mut names: Vec<&String> = [view, old, new].into_iter().flat_map(View::keys).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let [is, was, will] = [view, old, new].map(|views| views.get(name));
            match (is == was, is == will) {
                (true, true) => {}
                (true, false) => letters.push('o'),
                (false, true) => letters.push('n'),
                (false, false) => return Err(format!("{name}: {is:?}")),
            }
        }
    }
    Ok(letters)
}

/// What is wrong in recovered states: files that are neither old nor new, or do not fit how far the change has come.
fn torn(states: &[CrashState<'_>], recovered: &[Result<Recovered, String>]) -> Vec<String> {
    let (old, new) = match (recovered.first(), recovered.last()) {
        (Some(Ok(old)), Some(Ok(new))) => (old, new),
        other => {
            let why = [other.0, other.1].map(|state| state.and_then(|state| state.as_ref().err()));
            return vec![format!(
                "the first state or the last is not recovered: {why:?}"
            )];
        }
    };
    assert_eq!(
        (old.progress, new.progress),
        (Progress::Nothing, Progress::Done)
    );
    let mut wrong = Vec::new();
    for (state, recovered) in states.iter().zip(recovered) {
        let recovered = match recovered {
            Ok(recovered) => recovered,
            Err(why) => {
                wrong.push(format!("{state}: not recovered: {why}"));
                continue;
            }
        };
        let known = [recovered, old, new].map(|state| state.files.keys());
        let mut names: Vec<&String> = known.into_iter().flatten().collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let [is, was, will] = [recovered, old, new].map(|state| state.files.get(name));
            let fits = match recovered.progress {
                Progress::Nothing | Progress::Copied => is == was,
                Progress::Begun => is == was || is == will,
                Progress::Done => is == will,
            };
            if !fits {
                let progress = recovered.progress;
                wrong.push(format!(
                    "{state}: {progress:?}, and {name} is {is:?}, {was:?} before and {will:?} after"
                ));
            }
        }
    }
    wrong
}
