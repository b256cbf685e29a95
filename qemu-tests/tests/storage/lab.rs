//! A guest that lays out disks and looks at them.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use gptman::{GPT, GPTPartitionEntry};
use qemu_tests::probe::{Answer, Refusal};
use qemu_tests::storage_guest::{self, LookAnswer, LookRequest, Request, WriteRequest};
use qemu_tests::{
    Boot, Deadlines, Device, Images, Machine, Milestone, Qemu, Reads, baseline, skip,
};
use tempfile::TempDir;

/// What every root in these tests has: a command for each file, in the folder that is the current one.
pub const ROOT: &str = "mkdir -p etc usr/lib; ln -s ../usr/lib/os-release etc/os-release; \
    echo 'PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"' > usr/lib/os-release;";

pub struct Lab {
    qemu: Qemu,
    reads: Reads,
    deadlines: Deadlines,
    folder: TempDir,
    /// Of each guest.
    pub processors: u8,
}

/// Images of disks, and the folder that they are in.
pub struct Disks(pub Vec<PathBuf>);

/// What a guest answered, and what it did to its disks by QEMU's counters.
pub struct Told {
    pub answers: Vec<String>,
    /// Write operations that reached each disk.
    pub writes: Vec<u64>,
}

impl Lab {
    /// The lab, or nothing and the reason printed.
    pub fn open() -> Option<Self> {
        Self::try_open(Reads::AllButZfs)
            .map_err(|why| skip(&why))
            .ok()
    }

    /// The same with ZFS.
    pub fn with_zfs() -> Option<Self> {
        Self::try_open(Reads::Everything)
            .map_err(|why| skip(&why))
            .ok()
    }

    fn try_open(reads: Reads) -> Result<Self, String> {
        let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let images = image(reads, &[], folder.path())?;
        let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
        let deadlines = baseline::deadlines(&qemu, &images.kernel, init)
            .map_err(|failure| failure.to_string())?;
        Ok(Self {
            qemu,
            reads,
            deadlines,
            folder,
            processors: 1,
        })
    }

    /// A disk of zeros without partitions.
    pub fn bare(&self, name: &str, mib: u64) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::File::create(&path).unwrap().set_len(mib << 20).unwrap();
        path
    }

    /// A disk with a GPT and partitions of so many MiB.
    pub fn partitioned(&self, name: &str, partitions: &[u64]) -> PathBuf {
        let path = self.bare(name, partitions.iter().sum::<u64>() + 2);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let seed = name.as_bytes()[0];
        let mut table = GPT::new_from(&mut file, 512, [seed; 16]).unwrap();
        let mut start = 2048;
        for (number, mib) in (1_u8..).zip(partitions) {
            table[u32::from(number)] = GPTPartitionEntry {
                partition_type_guid: [0xaf; 16],
                unique_partition_guid: [seed ^ number; 16],
                starting_lba: start,
                ending_lba: start + mib * 2048 - 1,
                attribute_bits: 0,
                partition_name: "system".into(),
            };
            start += mib * 2048;
        }
        GPT::write_protective_mbr_into(&mut file, 512).unwrap();
        table.write_into(&mut file).unwrap();
        path
    }

    /// Has a guest carry out requests, and cuts its power.
    pub fn ask(&self, name: &str, disks: &Disks, requests: &[Request]) -> Told {
        let (answers, writes) = self.answers(name, disks, requests);
        Told {
            answers: answers.into_iter().map(text).collect(),
            writes,
        }
    }

    /// What a look finds, and why the guest does not write behind it.
    pub fn refusal(
        &self,
        name: &str,
        disks: &Disks,
        look: LookRequest,
        write: WriteRequest,
    ) -> (LookAnswer, String) {
        let requests = [Request::Look(look), Request::Write(write)];
        let (answers, _) = self.answers(name, disks, &requests);
        let [looked, refused]: [_; 2] = answers.try_into().unwrap();
        let looked = serde_json::from_str(&text(looked)).unwrap();
        (looked, refused.unwrap_err().why)
    }

    /// What a guest answers to each request, and the write operations that reached each disk.
    fn answers(
        &self,
        name: &str,
        disks: &Disks,
        requests: &[Request],
    ) -> (Vec<Result<Answer, Refusal>>, Vec<u64>) {
        let images = image(self.reads, requests, self.folder.path()).unwrap();
        let mut machine = Machine::q35().memory(768).processors(self.processors);
        for image in &disks.0 {
            let image = image.clone();
            machine = machine.integrated(Device::VirtioBlock { image });
        }
        let boot = Boot::new(name, &images, machine).deadlines(self.deadlines);
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Init).unwrap();
        let answers = run.answers().unwrap();
        let stats = run.qmp("query-blockstats", serde_json::json!({})).unwrap();
        run.type_text("\r").unwrap();
        run.wait_end().unwrap();
        let counted = stats.as_array().unwrap().iter();
        let writes = counted.filter(|disk| !disk["qdev"].is_null()).map(|disk| {
            let stats = &disk["stats"];
            stats["wr_operations"].as_u64().unwrap()
                + stats["unmap_operations"].as_u64().unwrap_or(0)
        });
        (answers, writes.collect())
    }

    /// Looks at the disks with a guest, which reads `etc/hostname` in every root, and checks that nothing
    /// was written by anybody's count.
    pub fn look(&self, name: &str, disks: &Disks, request: LookRequest) -> LookAnswer {
        self.look_for(name, disks, &["/etc/hostname"], request)
    }

    /// The same, which reads these files.
    pub fn look_for(
        &self,
        name: &str,
        disks: &Disks,
        files: &[&str],
        request: LookRequest,
    ) -> LookAnswer {
        let before = disks.hashes();
        let request = LookRequest {
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            ..request
        };
        // What is there after the look: no mapped device, array or mount may have stayed.
        let after = "ls /sys/block; ls /dev/mapper; cut -d' ' -f2 /proc/mounts; \
            [ ! -e /dev/zfs ] || zpool list -H";
        let told = self.ask(
            name,
            disks,
            &[Request::Look(request), Request::shell(after)],
        );
        let answer: LookAnswer = serde_json::from_str(&told.answers[0]).unwrap();
        println!("{name}: {answer:#?}");
        assert_eq!(told.writes, vec![0; disks.0.len()], "QEMU's counters");
        assert_eq!(disks.hashes(), before, "the disks' bytes");
        for disk in &answer.ended.writes {
            assert!(disk.writes.is_none(), "the kernel's counters: {disk:?}");
        }
        assert_eq!(answer.ended.writes.len(), disks.0.len());
        let stays = &told.answers[1];
        for name in ["dm-", "md", "overlay-", "/run/preflight", "rpool"] {
            assert!(!stays.contains(name), "{name} stays: {stays}");
        }
        answer
    }
}

impl Disks {
    /// SHA-256 of each.
    pub fn hashes(&self) -> Vec<String> {
        let hash = |path: &PathBuf| {
            let output = Command::new("sha256sum").arg(path).output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        self.0.iter().map(hash).collect()
    }
}

fn image(reads: Reads, requests: &[Request], folder: &Path) -> Result<Images, String> {
    let init = Path::new(env!("CARGO_BIN_EXE_storage-guest"));
    storage_guest::image(init, reads, requests, folder).map_err(|error| format!("{error:#}"))
}

fn text(answer: Result<Answer, Refusal>) -> String {
    match answer {
        Ok(Answer::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}
