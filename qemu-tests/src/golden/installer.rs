use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::facts::Facts;
use super::{Golden, Root, disks, first_boot};
use crate::initramfs::Entry;
use crate::{Boot, Deadlines, Device, Outcome, Qemu, sha256};

/// Bytes of each disk; what nobody wrote takes no place.
const DISK_LENGTH: u64 = 4 << 30;

/// Room for what the guest says about the system.
const FACTS_LENGTH: u64 = 4 << 20;

/// On the reference machine, five times what is seen there.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// How much slower than the reference machine a workstation that builds other things at the same time may be.
const BUSY: f64 = 4.0;

const FIRST_PROCESS: &str = "golden/common/first-process.sh";
const COMPLETE: &str = "golden: the installation is complete";
const FAILED: &str = "golden: the installation failed";

/// Lays the system out on new disks in `folder`, in a guest with the machine that it is for; what the system's
/// own tools said about it.
pub(super) fn install(
    golden: Golden,
    root: &Root,
    scripts: Vec<Entry>,
    folder: &Path,
    qemu: &Qemu,
) -> Result<Facts> {
    let targets: Vec<PathBuf> = (0..golden.disk_count())
        .map(|number| first_boot::work_disk(folder, number))
        .collect();
    for target in &targets {
        disks::create(qemu, target, DISK_LENGTH)?;
    }
    let base = folder.join("base.qcow2");
    disks::overlay(qemu, &root.disk(), &base)?;
    let facts = folder.join("facts.img");
    fs::File::create(&facts)?.set_len(FACTS_LENGTH)?;
    let machine = super::machine(golden, &targets, folder, folder)?
        .integrated(Device::VirtioBlock {
            image: base.clone(),
        })
        .integrated(Device::VirtioBlock {
            image: facts.clone(),
        });
    let slot = |after: usize| format!("slot{:x}", 5 + targets.len() + after);
    let mut boot = Boot::new(&run_name("install", folder), &root.images(), machine)
        .deadlines(Deadlines::scaled(BUSY))
        .option("rdinit=/install")
        .option(&format!("golden.install={}", golden.name()))
        .option(&format!("golden.base={}", slot(0)))
        .option(&format!("golden.facts={}", slot(1)));
    for script in scripts {
        if script.name == FIRST_PROCESS {
            boot = boot.early_file(Entry::program("install", script.bytes.clone()));
        }
        boot = boot.early_file(script);
    }
    let mut run = boot.start(qemu)?;
    run.wait("the end of the installation", PATIENCE, |run| {
        let said = run.serial().spoken();
        if said.contains(COMPLETE) {
            return Some(Ok(()));
        }
        said.contains(FAILED)
            .then(|| Err(Outcome::Instead(FAILED.to_owned())))
    })?;
    run.wait_end()?;
    drop(run);
    let text = fs::read(&facts).with_context(|| format!("cannot read {}", facts.display()))?;
    for path in [&base, &facts] {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Facts::parse(&String::from_utf8_lossy(&text))
}

/// The name of a run that is the same for no two folders: two builds must not share their logs.
pub(super) fn run_name(what: &str, folder: &Path) -> String {
    let digest = sha256(folder.as_os_str().as_encoded_bytes());
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    format!("{what}-{name}-{}", &digest[..6])
}
