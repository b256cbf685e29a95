//! The ISO image, held against the tools that read CDs and partition disks elsewhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gptman::GPT;
use image_builder::cache::Cache;
use image_builder::gpt::{EFI_SYSTEM, PREFLIGHT_DATA};
use image_builder::grub::Packages;
use image_builder::iso::{self, Built, Xorriso};
use image_builder::medium::{BuiltFile, Recipe};
use tempfile::TempDir;

struct Iso {
    xorriso: Xorriso,
    folder: TempDir,
    image: PathBuf,
    built: Built,
}

fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "CI has all that is needed: {why}"
    );
    eprintln!("skipped: {why}");
}

impl Iso {
    /// One with something that looks like a kernel; or nothing and the reason printed.
    fn build(modified: u32) -> Option<Self> {
        let cache = Cache::open().unwrap();
        let fetched = || anyhow::Ok((Packages::fetch(&cache)?, Xorriso::fetch(&cache)?));
        let (packages, xorriso) = match fetched() {
            Ok(fetched) => fetched,
            Err(why) => {
                skip(&format!("{why:#}"));
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let [kernel, initramfs] = ["vmlinuz", "initramfs.img"].map(|name| folder.path().join(name));
        let mut looks_like_one = vec![0x5a; 8 << 20];
        looks_like_one.splice(0x202..0x206, *b"HdrS");
        fs::write(&kernel, looks_like_one).unwrap();
        let mut begins_as_one = vec![0xa5; 20 << 20];
        begins_as_one.splice(..6, *b"070701");
        fs::write(&initramfs, begins_as_one).unwrap();
        let recipe = Recipe {
            kernel,
            initramfs,
            kernel_options: Vec::new(),
            uki: None,
            modified,
        };
        let image = folder.path().join("preflight.iso");
        let built = iso::build(&recipe, &packages, &xorriso, &image, &|_| {}).unwrap();
        Some(Self {
            xorriso,
            folder,
            image,
            built,
        })
    }

    /// Asks xorriso about the image.
    fn ask(&self, words: &[&str]) -> String {
        let mut command = self.xorriso.command();
        let asked = command.arg("-indev").arg(&self.image).args(words).output();
        let asked = asked.unwrap();
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(asked.status.success(), "{words:?}: {asked:?}");
        said
    }
}

#[test]
fn two_builds_at_two_times_give_the_same_bytes_and_another_date_gives_others() {
    // The first one is what is taken where nobody names a date.
    for modified in [0, 1_700_000_000] {
        let Some(first) = Iso::build(modified) else {
            return;
        };
        // Times of files and of the image have seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let bytes = |iso: &Iso| fs::read(&iso.image).unwrap();
        assert!(
            bytes(&first) == bytes(&Iso::build(modified).unwrap()),
            "{modified}"
        );
        let later = 1_700_000_002;
        assert!(bytes(&first) != bytes(&Iso::build(later).unwrap()));
    }
}

#[test]
fn each_file_comes_back_from_the_cd_as_it_was_put_there() {
    let Some(iso) = Iso::build(1_700_000_000) else {
        return;
    };
    let out = iso.folder.path().join("out");
    iso.ask(&["-osirrox", "on", "-extract", "/", out.to_str().unwrap()]);
    let hashed = |path: &Path| {
        let sums = Command::new("sha256sum").arg(path).output().unwrap();
        String::from_utf8(sums.stdout).unwrap()
    };
    for file in &iso.built.files {
        let path = out.join(&file.path);
        let length = fs::metadata(&path).unwrap().len();
        assert_eq!(length, file.bytes as u64, "{}", file.path);
        match &file.sha256 {
            Some(sha256) => assert!(hashed(&path).starts_with(sha256), "{}", file.path),
            // xorriso writes into it where it lies.
            None => assert_eq!(file.path, "boot/grub/eltorito.img"),
        }
    }
    let marker = |file: &&BuiltFile| file.path == "ventoy.dat";
    assert_eq!(iso.built.files.iter().filter(marker).count(), 1);
}

#[test]
fn firmware_of_both_kinds_finds_its_entry_and_the_partition_table_is_sound() {
    let Some(iso) = Iso::build(1_700_000_000) else {
        return;
    };
    let catalogue = iso.ask(&["-report_el_torito", "plain"]);
    for platform in ["BIOS", "UEFI"] {
        let is_entry = |line: &&str| line.contains("El Torito boot img") && line.contains(platform);
        assert_eq!(catalogue.lines().filter(is_entry).count(), 1, "{catalogue}");
    }
    let table = GPT::find_from(&mut fs::File::open(&iso.image).unwrap()).unwrap();
    for kind in [EFI_SYSTEM, PREFLIGHT_DATA] {
        let same = |kind_on_disk: [u8; 16]| kind_on_disk == kind.bytes();
        let mut used = table.iter().filter(|(_, partition)| partition.is_used());
        assert!(used.any(|(_, partition)| same(partition.partition_type_guid)));
    }
    let Ok(said) = Command::new("sgdisk").arg("-v").arg(&iso.image).output() else {
        return skip("there is no sgdisk (package gdisk) to ask");
    };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("No problems found"), "{said}");
}
