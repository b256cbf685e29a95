//! The stick's image, held against the tools that partition, check and start disks elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use gptman::GPT;
use image_builder::cache::Cache;
use image_builder::grub::Packages;
use image_builder::medium::Recipe;
use image_builder::usb;
use tempfile::TempDir;

const SECTOR: usize = 512;

/// Debian's boot loaders, or nothing and the reason printed where they cannot be fetched.
fn packages() -> Option<Packages> {
    let cache = Cache::open().unwrap();
    let fetched = Packages::fetch(&cache);
    fetched.map_err(|error| skip(&format!("{error}"))).ok()
}

fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "CI has all that is needed: {why}"
    );
    eprintln!("skipped: {why}");
}

/// What stands for a kernel: it has the magic number of one.
fn kernel() -> Vec<u8> {
    let mut kernel = vec![0x5a; 8 << 20];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel
}

struct Stick {
    folder: TempDir,
    image: PathBuf,
}

impl Stick {
    fn build(packages: &Packages, modified: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recipe(folder.path(), &kernel(), modified);
        let image = folder.path().join("preflight.img");
        usb::build(&recipe, packages, &image, &|_| {}).unwrap();
        Self { folder, image }
    }

    fn partition(&self, number: u32) -> Range<usize> {
        let mut file = fs::File::open(&self.image).unwrap();
        let table = GPT::find_from(&mut file).unwrap();
        let place = table.get_partition_byte_range(number).unwrap();
        usize::try_from(*place.start()).unwrap()..usize::try_from(*place.end()).unwrap() + 1
    }
}

fn recipe(folder: &Path, kernel: &[u8], modified: u32) -> Recipe {
    let paths = ["vmlinuz", "initramfs.img"].map(|name| folder.join(name));
    fs::write(&paths[0], kernel).unwrap();
    let mut initramfs = vec![0xa5; 20 << 20];
    initramfs.splice(..6, *b"070701");
    fs::write(&paths[1], initramfs).unwrap();
    let [kernel, initramfs] = paths;
    Recipe {
        kernel,
        initramfs,
        kernel_options: Vec::new(),
        uki: None,
        modified,
    }
}

#[test]
fn two_builds_give_the_same_bytes_and_another_date_gives_another_stick() {
    let Some(packages) = packages() else { return };
    let read = |modified| fs::read(Stick::build(&packages, modified).image).unwrap();
    let first = read(1_700_000_000);
    assert!(first == read(1_700_000_000));
    // The disk's identity is among the bytes that differ.
    let other = read(1_700_000_002);
    assert_ne!(first[512 + 56..512 + 72], other[512 + 56..512 + 72]);
    assert!(first.len() < 64_000_000, "{} bytes", first.len());
}

#[test]
fn a_name_that_ends_in_zst_gets_the_same_image_compressed_to_the_same_bytes() {
    let Some(packages) = packages() else { return };
    let stick = Stick::build(&packages, 1_700_000_000);
    let packed = |name: &str| {
        let recipe = recipe(stick.folder.path(), &kernel(), 1_700_000_000);
        let file = stick.folder.path().join(name);
        let built = usb::build(&recipe, &packages, &file, &|_| {}).unwrap();
        let bytes = fs::read(file).unwrap();
        assert_eq!(built.written, bytes.len() as u64);
        bytes
    };
    let first = packed("first.img.zst");
    assert!(first == packed("second.img.zst"));
    let plain = zstd::decode_all(first.as_slice()).unwrap();
    assert!(plain == fs::read(&stick.image).unwrap());
    assert!(first.len() < plain.len() / 2);
}

#[test]
fn sgdisk_and_fsck_have_nothing_against_it() {
    let Some(packages) = packages() else { return };
    let stick = Stick::build(&packages, 1_700_000_000);
    let Ok(said) = Command::new("sgdisk").arg("-v").arg(&stick.image).output() else {
        return skip("there is no sgdisk (package gdisk) to ask");
    };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("No problems found"), "{said}");
    let bytes = fs::read(&stick.image).unwrap();
    for number in [2, 3] {
        let volume = stick.folder.path().join("volume");
        fs::write(&volume, &bytes[stick.partition(number)]).unwrap();
        let checked = Command::new("fsck.fat").arg("-nv").arg(&volume).output();
        let Ok(checked) = checked else {
            return skip("there is no fsck.fat (package dosfstools) to ask");
        };
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "partition {number}: {said}");
    }
}

/// Has Debian's grub-bios-setup write onto a copy of the image what this program has written by itself. Without
/// Reed-Solomon codes each byte is the same; with them, these and what tells of them are the difference.
#[test]
fn grub_bios_setup_writes_the_same_boot_sector_and_core() {
    let Some(packages) = packages() else { return };
    let stick = Stick::build(&packages, 1_700_000_000);
    let ours = fs::read(&stick.image).unwrap();
    let place = stick.partition(1);
    let core = core_length(&ours[place.clone()]);
    let mut blank = ours.clone();
    blank[..440].fill(0);
    blank[place.clone()].fill(0);

    let Some(theirs) = set_up(
        &stick,
        &packages,
        &ours[place.clone()][..core],
        &blank,
        &["--no-rs-codes"],
    ) else {
        return;
    };
    assert_eq!(differences(&ours, &theirs), Vec::<usize>::new());

    let theirs = set_up(&stick, &packages, &ours[place.clone()][..core], &blank, &[]).unwrap();
    let start = place.start;
    let explained = [
        // How many sectors the first one loads: now the codes, too.
        start + 0x1fc..start + 0x1fe,
        // GRUB_KERNEL_I386_PC_REED_SOLOMON_REDUNDANCY: how many bytes of them there are.
        start + SECTOR + 0x10..start + SECTOR + 0x14,
        // The codes, from the end of the core on; without them the last sector is filled with zeros.
        start + core - SECTOR..place.end,
    ];
    let unexplained: Vec<usize> = differences(&ours, &theirs)
        .into_iter()
        .filter(|at| !explained.iter().any(|place| place.contains(at)))
        .collect();
    assert_eq!(unexplained, Vec::<usize>::new());
    assert!(
        differences(&ours, &theirs).len() > core / 2,
        "there are codes"
    );
}

/// Bytes of the core: its first sector says how many sectors follow.
fn core_length(partition: &[u8]) -> usize {
    let sectors = u16::from_le_bytes([partition[0x1fc], partition[0x1fd]]);
    (usize::from(sectors) + 1) * SECTOR
}

fn differences(one: &[u8], other: &[u8]) -> Vec<usize> {
    assert_eq!(one.len(), other.len());
    (0..one.len()).filter(|at| one[*at] != other[*at]).collect()
}

/// The image `blank` after grub-bios-setup. The tool asks which disk its own files lie on and takes no image for
/// an answer, unless the file system that they lie on is said to be on it: a tmpfs that has the image's name, in
/// a mount namespace of its own.
fn set_up(
    stick: &Stick,
    packages: &Packages,
    core: &[u8],
    blank: &[u8],
    options: &[&str],
) -> Option<Vec<u8>> {
    const SCRIPT: &str = r#"
        mount -t tmpfs "$1" "$2/grub" || exit 77
        cp "$2/boot.img" "$2/core.img" "$2/grub"
        shift 3; exec "$@""#;
    let folder = stick.folder.path().join("theirs");
    fs::create_dir_all(folder.join("grub")).unwrap();
    let image = folder.join("disk.img");
    fs::write(&image, blank).unwrap();
    let modules = packages.bios_root().join("usr/lib/grub/i386-pc");
    fs::copy(modules.join("boot.img"), folder.join("boot.img")).unwrap();
    // As grub-mkimage has left it: the first sector names sector 2 for the rest, wherever that will be.
    let mut core = core.to_vec();
    core[0x1f4..0x1fc].copy_from_slice(&2_u64.to_le_bytes());
    fs::write(folder.join("core.img"), core).unwrap();
    let map = folder.join("device.map");
    fs::write(&map, format!("(hd0) {}\n", image.display())).unwrap();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(&image)
        .arg(&folder)
        .arg("--")
        .arg(modules.join("grub-bios-setup"))
        .args(options)
        .arg("--directory")
        .arg(folder.join("grub"))
        .arg("--device-map")
        .arg(&map)
        .arg(&image)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(77) || said.contains("unshare failed") {
        skip(&format!("no mount namespace is to be had: {said}"));
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(fs::read(&image).unwrap())
}

#[test]
fn a_file_that_is_no_kernel_is_refused_and_leaves_no_image() {
    let Some(packages) = packages() else { return };
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(folder.path(), b"not a kernel", 0);
    let image = folder.path().join("preflight.img");
    let error = usb::build(&recipe, &packages, &image, &|_| {}).unwrap_err();
    assert!(
        error.to_string().contains("vmlinuz is no Linux kernel"),
        "{error}"
    );
    assert!(!image.exists());
}
