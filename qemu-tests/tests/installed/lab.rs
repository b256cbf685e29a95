//! A guest that looks at the disks of installed systems.

use std::path::{Path, PathBuf};
use std::time::Duration;

use image_builder::cache::Cache;
use qemu_tests::golden::{self, Console, Golden, Installed};
use qemu_tests::probe::Answer;
use qemu_tests::storage_guest::{self, LookAnswer, LookRequest, Request};
use qemu_tests::{
    Boot, Deadlines, Device, Images, Machine, Milestone, Qemu, Reads, baseline, skip,
};
use tempfile::TempDir;

use crate::untouched::Harm;

/// On the reference machine, some ten times what is seen there.
pub const TO_LOGIN: Duration = Duration::from_secs(300);
/// An initrd takes about a minute.
const TO_REHEARSE: Duration = Duration::from_secs(400);
const REHEARSED: &str = "rehearsal: done";
const SOME_ROUNDS: Duration = Duration::from_secs(120);
/// GRUB says nothing while it loads kernels, which takes long on a busy machine.
const SILENT: f64 = 4.0;

pub struct Lab {
    pub qemu: Qemu,
    cache: Cache,
    deadlines: Deadlines,
    folder: TempDir,
}

/// What a guest answered, and what it did to its disks.
#[derive(Debug)]
pub struct Told {
    pub answers: Vec<String>,
    pub harm: Harm,
}

impl Lab {
    /// The lab with these systems, built on first need; or nothing and the reason printed.
    pub fn with<const N: usize>(systems: [Golden; N]) -> Option<(Self, [Installed; N])> {
        let opened = || -> anyhow::Result<_> {
            let qemu = Qemu::obtain()?;
            let cache = Cache::open()?;
            let folder = tempfile::tempdir()?;
            let images = image(&[], folder.path())?;
            let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
            let deadlines = baseline::deadlines(&qemu, &images.kernel, init)?;
            let lab = Self {
                qemu,
                cache,
                deadlines,
                folder,
            };
            let installed = systems
                .into_iter()
                .map(|golden| golden::obtain(golden, &lab.cache, &lab.qemu))
                .collect::<anyhow::Result<Vec<_>>>()?;
            Ok((lab, installed))
        };
        match opened() {
            Ok((lab, installed)) => Some((lab, installed.try_into().unwrap())),
            // Only root can build what is not in the cache.
            Err(why) if !nix::unistd::geteuid().is_root() => {
                skip(&format!("{why:#}"));
                None
            }
            Err(why) => panic!("{why:#}"),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Deadlines for what says nothing for long.
    pub fn patient(&self) -> Deadlines {
        Deadlines::scaled(self.deadlines.factor().max(SILENT))
    }

    /// An empty overlay over each of these disks.
    pub fn overlays(&self, name: &str, disks: &[PathBuf]) -> Vec<PathBuf> {
        let overlay = |(number, disk): (usize, &PathBuf)| {
            let path = self.folder.path().join(format!("{name}-{number}.qcow2"));
            golden::overlay(&self.qemu, disk, &path).unwrap();
            path
        };
        disks.iter().enumerate().map(overlay).collect()
    }

    /// Has a guest carry out requests with overlays over these disks, cuts its power, and sees what it did to
    /// the overlays.
    pub fn ask(&self, name: &str, disks: &[PathBuf], requests: &[Request]) -> Told {
        self.ask_on(name, &self.overlays(name, disks), requests)
    }

    /// The same with these disks themselves.
    pub fn ask_on(&self, name: &str, disks: &[PathBuf], requests: &[Request]) -> Told {
        self.try_ask_on(name, disks, requests)
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
    }

    /// The same, where the guest may refuse; with its words then.
    pub fn try_ask_on(
        &self,
        name: &str,
        disks: &[PathBuf],
        requests: &[Request],
    ) -> Result<Told, String> {
        let images = image(requests, self.folder.path()).unwrap();
        let rehearses = requests
            .iter()
            .any(|one| matches!(one, Request::Rehearse(_)));
        // Initrds are made in memory, and a quarter of it is for the overlays.
        let mut machine = Machine::q35().memory(if rehearses { 3072 } else { 1024 });
        for image in disks {
            let image = image.clone();
            machine = machine.integrated(Device::VirtioBlock { image });
        }
        let boot = Boot::new(name, &images, machine).deadlines(self.deadlines);
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Init).unwrap();
        if rehearses {
            run.wait_text(REHEARSED, TO_REHEARSE).unwrap();
        }
        let answers = run.answers().unwrap();
        let harm = Harm::counted(&mut run);
        run.type_text("\r").unwrap();
        run.wait_end().unwrap();
        drop(run);
        let text = |answer| match answer {
            Ok(Answer::Text(text)) => Ok(text),
            Err(refusal) => Err(format!("{refusal:?}")),
            other => panic!("{name}: {other:?}"),
        };
        Ok(Told {
            answers: answers.into_iter().map(text).collect::<Result<_, _>>()?,
            harm: harm.and_in(&self.qemu, disks),
        })
    }

    /// Looks at the disks with a guest, which reads these files and `etc/hostname` in every root. Nobody
    /// may have counted a write, and nothing may stay of the look.
    pub fn look(&self, name: &str, disks: &[PathBuf], files: &[&str]) -> LookAnswer {
        let files = files.iter().chain(&["/etc/hostname"]);
        let request = LookRequest {
            files: files.map(|&file| file.to_owned()).collect(),
            ..LookRequest::default()
        };
        let after = "ls /sys/block; ls /dev/mapper; cut -d' ' -f2 /proc/mounts; zpool list -H";
        let told = self.ask(
            name,
            disks,
            &[Request::Look(request), Request::shell(after)],
        );
        let answer: LookAnswer = serde_json::from_str(&told.answers[0]).unwrap();
        println!("{name}: {answer:#?}");
        assert_eq!(told.harm, Harm::default());
        assert_eq!(answer.ended.writes.len(), disks.len());
        for disk in &answer.ended.writes {
            assert!(disk.writes.is_none(), "the kernel's counters: {disk:?}");
        }
        assert_eq!(answer.ended.troubles, []);
        for name in ["dm-", "overlay-", "/run/preflight", "rpool"] {
            assert!(!told.answers[1].contains(name), "{name} stays");
        }
        answer
    }

    /// The disks of a system that was killed while it wrote: booted, logged in, and the power cut after the
    /// 40th round of this loop's body, which has its number in `n`.
    pub fn killed_while_writing(&self, installed: &Installed, body: &str) -> Vec<PathBuf> {
        let name = installed.golden().name();
        let disks = self.overlays("killed", &installed.disks);
        let machine = installed.machine(&disks, self.folder.path()).unwrap();
        let boot = Boot::from_disk(&format!("installed-killed-{name}"), machine);
        let mut run = boot.deadlines(self.patient()).start(&self.qemu).unwrap();
        Console::log_in(&mut run, installed.golden(), TO_LOGIN).unwrap();
        let script = format!(
            "n=0; while n=$((n+1)); do {body}; [ $((n % 20)) != 0 ] || echo ROUND $n; done &\r"
        );
        run.type_text(&script).unwrap();
        run.wait_text("ROUND 40", SOME_ROUNDS).unwrap();
        drop(run);
        disks
    }
}

fn image(requests: &[Request], folder: &Path) -> anyhow::Result<Images> {
    let init = Path::new(env!("CARGO_BIN_EXE_storage-guest"));
    storage_guest::image(init, Reads::Everything, requests, folder)
}
