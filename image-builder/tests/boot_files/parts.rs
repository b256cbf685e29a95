//! A kernel and an initramfs of ours to make media of.

use std::fs;
use std::path::PathBuf;

use image_builder::cache::Cache;
use image_builder::grub::Packages;
use image_builder::medium::Recipe;
use image_builder::{initramfs, usb};
use tempfile::TempDir;

use crate::common::{RELEASE, Sample};

/// What the kernel is from.
pub const KERNEL_PACKAGE: &str = "linux-image-6.1.0-test";

pub fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "CI has all that is needed: {why}"
    );
    eprintln!("skipped: {why}");
}

/// A kernel and an initramfs with a manifest, which belong together, in a folder.
pub struct Parts {
    folder: TempDir,
    pub recipe: Recipe,
    pub cache: Cache,
    pub packages: Packages,
}

impl Parts {
    /// Nothing, and the reason printed, where Debian's boot loaders cannot be fetched.
    pub fn new() -> Option<Self> {
        let cache = Cache::open().unwrap();
        let packages = Packages::fetch(&cache)
            .map_err(|error| skip(&error.to_string()))
            .ok()?;
        let sample = Sample::new();
        let mut kernel = vec![0x5a; 1 << 20];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        kernel[0x300..0x311].copy_from_slice(b"6.1.0-test (a@b)\0");
        let doc = sample.root().join("usr/share/doc").join(KERNEL_PACKAGE);
        fs::create_dir_all(&doc).unwrap();
        fs::write(
            doc.join("copyright"),
            "Format: 1.0\n\nFiles: *\nLicense: GPL-2\n",
        )
        .unwrap();
        fs::write(
            sample.root().join(format!("boot/vmlinuz-{RELEASE}")),
            kernel,
        )
        .unwrap();

        let folder = tempfile::tempdir().unwrap();
        let [kernel, image] = ["vmlinuz", "initramfs.img"].map(|name| folder.path().join(name));
        let mut recipe = sample.recipe("[disks]\nahci\n");
        recipe.kernel_output = Some(kernel.clone());
        initramfs::build(&recipe, &image, &|_| {}).unwrap();
        let recipe = Recipe {
            kernel,
            initramfs: image,
            kernel_options: Vec::new(),
            uki: None,
            modified: 0,
        };
        Some(Self {
            folder,
            recipe,
            cache,
            packages,
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn stick(&self) -> PathBuf {
        let image = self.path("stick.img");
        usb::build(&self.recipe, &self.packages, &image, &|_| {}).unwrap();
        image
    }
}
