//! A small kernel package for tests, and a look into a built image.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../src/modules/testing.rs"]
mod testing;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use cpio::newc;
use image_builder::initramfs::Recipe;
use tempfile::TempDir;

pub use testing::module;

pub const RELEASE: &str = "6.1.0-test";

/// The least that counts as a static program. It does not run.
pub fn static_program() -> Vec<u8> {
    const ET_EXEC: u8 = 2;
    let mut program = module(&[]);
    program[16] = ET_EXEC;
    program
}

/// An unpacked kernel package with few modules.
pub struct Sample {
    folder: TempDir,
}

impl Sample {
    /// ext4 needs two others and wants crc32c by its alias; ahci is plain; serio is compiled in.
    pub fn new() -> Self {
        let sample = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        sample.add("drivers/ata/libata.ko", &["depends="]);
        sample.add(
            "drivers/ata/ahci.ko",
            &["depends=libata", "alias=pci:v*d*sv*sd*bc01sc06i01*"],
        );
        sample.add("fs/jbd2/jbd2.ko", &["depends=", "softdep=pre: crc32c"]);
        sample.add("fs/mbcache.ko", &["depends="]);
        sample.add(
            "fs/ext4/ext4.ko",
            &["alias=fs-ext4", "depends=mbcache,jbd2", "weakdep=lz4"],
        );
        sample.add("crypto/crc32c_generic.ko", &["alias=crc32c", "depends="]);
        sample.add("drivers/gpu/drm/drm.ko", &["depends="]);
        sample.add("drivers/hid/hid-picolcd.ko", &["depends=helper"]);
        sample.add("drivers/hid/helper.ko", &["depends=drm"]);
        sample.write("modules.builtin", "kernel/drivers/input/serio/serio.ko\n");
        sample.write("modules.builtin.modinfo", "serio.license=GPL\0");
        sample.write(
            "modules.order",
            "kernel/fs/mbcache.ko\nkernel/drivers/ata/libata.ko\nkernel/drivers/ata/ahci.ko\n",
        );
        let boot = sample.root().join("boot");
        fs::create_dir_all(&boot).unwrap();
        fs::write(boot.join(format!("vmlinuz-{RELEASE}")), "kernel").unwrap();
        fs::write(sample.init(), static_program()).unwrap();
        sample
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn init(&self) -> PathBuf {
        self.root().join("preflight")
    }

    pub fn add(&self, path: &str, modinfo: &[&str]) {
        self.write(&format!("kernel/{path}"), module(modinfo));
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join("lib/modules").join(RELEASE).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A recipe with this module list.
    pub fn recipe(&self, list: &str) -> Recipe {
        let mut recipe = Recipe::new(self.root(), self.init());
        recipe.module_list = list.to_owned();
        recipe
    }
}

/// A Debian package with these files (deb(5)), `name` without its ending.
pub fn deb(folder: &Path, name: &str, files: &[(String, Vec<u8>)]) -> PathBuf {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("./{path}"), content.as_slice())
            .unwrap();
    }
    let data = zstd::encode_all(tar.into_inner().unwrap().as_slice(), 1).unwrap();
    let path = folder.join(format!("{name}.deb"));
    let mut archive = ar::Builder::new(fs::File::create(&path).unwrap());
    for (name, content) in [
        ("debian-binary", b"2.0\n".as_slice()),
        ("data.tar.zst", &data),
    ] {
        let header = ar::Header::new(name.as_bytes().to_vec(), content.len() as u64);
        archive.append(&header, content).unwrap();
    }
    path
}

/// One entry of a built archive.
pub struct Unpacked {
    pub header: newc::Entry,
    pub content: Vec<u8>,
}

/// All entries of an image file in their order, read with another program's eyes.
pub fn unpack(image: &Path) -> Vec<Unpacked> {
    let mut archive = zstd::Decoder::new(fs::File::open(image).unwrap()).unwrap();
    let mut entries = Vec::new();
    loop {
        let mut reader = newc::Reader::new(&mut archive as &mut dyn Read).unwrap();
        let header = reader.entry().clone();
        if header.is_trailer() {
            return entries;
        }
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        reader.finish().unwrap();
        entries.push(Unpacked { header, content });
    }
}

/// Builds a recipe and gives the entries by path.
pub fn built(recipe: &Recipe) -> BTreeMap<String, Unpacked> {
    let folder = tempfile::tempdir().unwrap();
    let output: PathBuf = folder.path().join("initramfs");
    image_builder::initramfs::build(recipe, &output, &|_| {}).unwrap();
    unpack(&output)
        .into_iter()
        .map(|entry| (entry.header.name().to_owned(), entry))
        .collect()
}

/// Why a recipe cannot be built.
pub fn refusal(recipe: &Recipe) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("initramfs");
    let error = image_builder::initramfs::build(recipe, &output, &|_| {}).unwrap_err();
    assert!(!output.exists(), "a failed build leaves no file");
    error.to_string()
}
