use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use qemu_tests::little_system::{Time, View, Volume};
use qemu_tests::power_cut::{Bounds, Canvas, CrashState, FailingDisk, Fault, Recording, Replay};
use qemu_tests::{Device, Machine};

use crate::lab::Lab;

const ROOT_LENGTH: u64 = 16 << 20;
/// FAT16 has clusters of 512 bytes up to 32 MiB: entries of one folder then lie in many sectors.
const ESP_LENGTH: u64 = 12 << 20;

/// So many states are looked at where `PREFLIGHT_CRASH_STATES` says nothing; all of them with `all`.
const STATES: usize = 40;
/// Of all states, one in so many is recovered by a kernel, and the first of each class. Of fewer, as many of the
/// first as one start of the guest takes.
const RECOVERED: usize = 50;
/// How many of them in one start of the guest; each has two disks.
const AT_ONCE: usize = 5;

/// How many crash states are looked at, at most.
fn states() -> usize {
    let wanted = std::env::var("PREFLIGHT_CRASH_STATES");
    match wanted.as_deref() {
        Err(_) => STATES,
        Ok("all") => usize::MAX,
        Ok(number) => number.parse().unwrap(),
    }
}

/// Whether the state with this number is one of so many that are spread evenly over `total`.
fn is_spread(number: usize, of: usize, total: usize) -> bool {
    number * of / total != (number + 1) * of / total
}

/// Runs a tool that makes or reads a file system.
fn tool(command: &mut Command) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.env("MTOOLS_SKIP_CHECK", "1").env("LC_ALL", "C");
    let output = command.output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{command:?}: {}", said.concat());
    said.concat()
}

/// The disks of the little system.
fn images(lab: &Lab) -> [PathBuf; 2] {
    let root = lab.folder().join("root");
    fs::create_dir(&root).unwrap();
    Volume::Root.make(&root).unwrap();
    let ext4 = lab.blank("root.img", ROOT_LENGTH);
    let lazy = "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0";
    tool(
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-b", "1024", "-E", lazy, "-d"])
            .arg(&root)
            .arg(&ext4),
    );
    let esp = lab.folder().join("esp");
    fs::create_dir(&esp).unwrap();
    Volume::Esp.make(&esp).unwrap();
    let fat = lab.blank("esp.img", ESP_LENGTH);
    tool(
        Command::new("mkfs.vfat")
            .args(["-F", "16", "-s", "1"])
            .arg(&fat),
    );
    for folder in [
        "::EFI",
        "::EFI/proxmox",
        "::EFI/proxmox/6.8.12-1",
        "::EFI/proxmox/6.8.12-2",
        "::loader",
        "::loader/entries",
    ] {
        tool(Command::new("mmd").arg("-i").arg(&fat).arg(folder));
    }
    let files = Volume::Esp.files(Time::Old);
    for path in Volume::Esp.fillers().iter().chain(files.keys()) {
        tool(
            Command::new("mcopy")
                .args(["-m", "-i"])
                .arg(&fat)
                .arg(esp.join(path))
                .arg(format!("::{path}")),
        );
    }
    [ext4, fat]
}

/// What GRUB reads: the file system as it lies on the disk, its journal not looked at.
fn read_ext4(image: &Path, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).unwrap();
    let command = format!("rdump /boot {}", folder.display());
    tool(
        Command::new("debugfs")
            .args(["-n", "-c", "-R"])
            .arg(command)
            .arg(image),
    );
    files(folder)
}

/// What systemd-boot reads. A staged file may be torn; only what a selector leads to matters.
fn read_fat(image: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(image)
        .unwrap();
    let system = fatfs::FileSystem::new(file, fatfs::FsOptions::new()).unwrap();
    let mut found = BTreeMap::new();
    let mut folders = vec![(String::new(), system.root_dir())];
    while let Some((path, folder)) = folders.pop() {
        for entry in folder.iter().map_while(Result::ok) {
            let name = entry.file_name();
            let path = format!("{path}{name}");
            if entry.is_dir() && !name.starts_with('.') {
                folders.push((format!("{path}/"), entry.to_dir()));
            } else if entry.is_file() {
                let mut bytes = Vec::new();
                if entry.to_file().read_to_end(&mut bytes).is_ok() {
                    found.insert(path, bytes);
                }
            }
        }
    }
    found
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Whether a staged name leads to what a loader reads: never meant, and so both have the same clusters.
fn shares(files: &BTreeMap<String, Vec<u8>>) -> bool {
    let (staged, read): (Vec<_>, Vec<_>) = files
        .iter()
        .partition(|(path, _)| path.contains("/preflight-"));
    let selectors = read
        .iter()
        .filter(|(path, text)| path.ends_with(".conf") && !text.is_empty());
    selectors
        .into_iter()
        .any(|(_, text)| staged.iter().any(|(_, other)| other == text))
}

/// A volume's loader, state after state.
struct Watched {
    volume: Volume,
    old: View,
    new: View,
    /// The last image, and what was read of it: most states differ on the other disk.
    last: Option<(Vec<u8>, View, bool)>,
}

impl Watched {
    fn new(volume: Volume) -> Self {
        Self {
            volume,
            old: volume.view_at(Time::Old),
            new: volume.view_at(Time::New),
            last: None,
        }
    }

    /// What is started, and whether a selector shares its clusters with a staged file.
    fn view(&mut self, image: &Path, out: &Path) -> (&View, bool) {
        let bytes = fs::read(image).unwrap();
        let (_, view, shared) = match self.last.take() {
            Some((last, view, shared)) if last == bytes => self.last.insert((last, view, shared)),
            _ => {
                let files = match self.volume {
                    Volume::Root => read_ext4(image, out),
                    Volume::Esp => read_fat(image),
                };
                let view = self.volume.view(&files);
                self.last.insert((bytes, view, shares(&files)))
            }
        };
        (view, *shared)
    }

    /// Which selectors are new, by a letter each, and what is wrong with what a loader reads.
    fn judge(&mut self, image: &Path, out: &Path, state: &CrashState<'_>) -> (String, Vec<String>) {
        let (mut class, mut complaints) = (String::new(), Vec::new());
        let promised = state.marks().last().cloned();
        let (volume, old, new) = (self.volume, self.old.clone(), self.new.clone());
        let (view, shared) = self.view(image, out);
        if shared {
            class.push('s');
        }
        for selector in old.keys() {
            let now = view.get(selector);
            let is = |views: &View| views.get(selector) == now;
            class.push(if is(&new) { 'n' } else { 'o' });
            let fits = match promised.as_deref() {
                Some("applied") => is(&new),
                Some("undone") => is(&old),
                _ => is(&old) || is(&new),
            };
            if !fits {
                complaints.push(format!("{volume:?} {selector}: {now:?}: {state}"));
            }
        }
        (class, complaints)
    }
}

#[test]
fn in_every_crash_state_of_a_commit_each_loader_reads_old_or_new_and_a_recovery_ends_it() {
    let Some(lab) = Lab::open() else { return };
    let images = images(&lab);
    let recording = Recording::new(lab.folder(), "commit", &[&images[0], &images[1]]).unwrap();
    let recording = recording.with_marks().unwrap();
    lab.write("cut-commit", "commit", recording.on(Machine::q35()));

    let replay = Replay::of(&recording).unwrap();
    let mut canvases = [0, 1].map(|disk| {
        let path = lab.folder().join(format!("canvas-{disk}"));
        Canvas::new(&replay, disk, &path).unwrap()
    });
    assert_eq!(replay.complete().marks(), ["applied", "undoing", "undone"]);
    let out = lab.folder().join("out");
    let mut watched = Volume::ALL.map(Watched::new);
    let mut complaints = Vec::new();
    let mut classes: BTreeSet<String> = BTreeSet::new();
    let bounds = Bounds {
        every_subset: 2,
        of_a_kind: 2,
        drawn: 1,
        ..Bounds::default()
    };
    let total = replay.states(bounds).count();
    assert!(total > 200, "{total}");
    let looked_at = states().min(total);
    let mut kept = Vec::new();
    for (number, state) in replay.states(bounds).enumerate() {
        if !is_spread(number, looked_at, total) {
            continue;
        }
        canvases
            .iter_mut()
            .for_each(|canvas| canvas.show(&state).unwrap());
        let mut class = String::new();
        for (watched, canvas) in watched.iter_mut().zip(&canvases) {
            let (letters, wrong) = watched.judge(canvas.path(), &out, &state);
            class += &letters;
            complaints.extend(wrong);
        }
        let unseen = classes.insert(class);
        let also = looked_at == total && is_spread(number, total / RECOVERED, total);
        if unseen || also {
            let copies = [0, 1].map(|disk| {
                let path = lab.folder().join(format!("kept-{number}-{disk}"));
                fs::copy(canvases[disk].path(), &path).unwrap();
                path
            });
            kept.push((state.to_string(), copies, unseen));
        }
    }
    if looked_at < total {
        let (mut number, of) = (0, kept.len());
        kept.retain(|_| {
            number += 1;
            is_spread(number - 1, AT_ONCE.min(of), of)
        });
    }
    println!(
        "{looked_at} of {total} states, {} classes, {} recovered",
        classes.len(),
        kept.len()
    );
    assert!(
        complaints.is_empty(),
        "{} of {looked_at}: {:#?}",
        complaints.len(),
        &complaints[..complaints.len().min(5)]
    );
    if looked_at == total {
        assert!(classes.len() >= 4, "{classes:?}");
        assert!(
            classes.iter().any(|class| class.contains('s')),
            "{classes:?}"
        );
    }
    assert!(classes.len() >= 3, "{classes:?}");

    for (round, states) in kept.chunks(AT_ONCE).enumerate() {
        let disks: Vec<&Path> = states
            .iter()
            .flat_map(|(_, disks, _)| disks)
            .map(PathBuf::as_path)
            .collect();
        let recording = Recording::new(lab.folder(), "state", &disks).unwrap();
        let again = states
            .iter()
            .map(|(.., first)| if *first { 'a' } else { '-' });
        let again: String = again.collect();
        let way = format!("recover again={again}");
        let said = lab.write(
            &format!("cut-recover-{round}"),
            &way,
            recording.on(Machine::q35()),
        );
        for (number, (state, ..)) in states.iter().enumerate() {
            let line = format!("writer: state {number}: ");
            let how = said
                .split(&line)
                .nth(1)
                .and_then(|rest| rest.lines().next());
            println!("{}: {state}", how.unwrap_or("nothing said"));
            if how.is_none_or(|how| how.contains("WRONG")) {
                complaints.push(format!("{how:?}: {state}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_full_esp_and_read_only_places_are_clear_errors_that_change_nothing() {
    let Some(lab) = Lab::open() else { return };
    let images = images(&lab);
    let recording = Recording::new(lab.folder(), "commit", &[&images[0], &images[1]]).unwrap();
    let said = lab.write("commit-refused", "refused", recording.on(Machine::q35()));
    for words in [
        "full ESP: the ESP little-esp has ",
        "read-only: / is read-only; ",
        "read-only: the ESP little-esp is read-only; ",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_medium_error_while_files_are_staged_leaves_the_old_system() {
    let Some(lab) = Lab::open() else { return };
    let images = images(&lab);
    let recording = Recording::new(lab.folder(), "commit", &[&images[0]]).unwrap();
    // The first new initrd is written behind all old files.
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(&images[1])
        .unwrap();
    let system = fatfs::FileSystem::new(file, fatfs::FsOptions::new()).unwrap();
    let clusters = system.stats().unwrap();
    let first = ESP_LENGTH / 512 - u64::from(clusters.total_clusters());
    let used = u64::from(clusters.total_clusters() - clusters.free_clusters());
    drop(system);
    let disk = FailingDisk::new(&images[1], first + used + 40, Fault::Error);
    let machine = recording
        .on(Machine::q35())
        .integrated(Device::Failing(disk));
    let said = lab.write("commit-bad-esp", "bad-esp", machine);
    assert!(
        said.contains("I/O error. Nothing was switched, and what was staged is removed"),
        "{said}"
    );
}
