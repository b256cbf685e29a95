//! A guest that writes to the lab's special disks.

use std::path::{Path, PathBuf};

use image_builder::apt::{self, Request};
use image_builder::cache::Cache;
use image_builder::initramfs::{self, Recipe};
use qemu_tests::{Boot, Deadlines, Images, Machine, Milestone, Qemu, baseline, skip};
use tempfile::TempDir;

/// Modules that the guest loads.
const MODULES: &str = "[guest]\nvirtio_pci\nvirtio_blk\nvirtio_scsi\nsd_mod\ncrc32c_generic\next4\nnls_cp437\nnls_ascii\nvfat\n";

pub struct Lab {
    qemu: Qemu,
    images: Images,
    deadlines: Deadlines,
    folder: TempDir,
}

impl Lab {
    /// The lab, or nothing and the reason printed.
    pub fn open() -> Option<Self> {
        Self::try_open().map_err(|why| skip(&why)).ok()
    }

    fn try_open() -> Result<Self, String> {
        let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
        if !qemu.is_recent() {
            return Err(format!(
                "{} is too old to record two disks in one log",
                qemu.place()
            ));
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let images = images(folder.path())?;
        let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
        let deadlines = baseline::deadlines(&qemu, &images.kernel, init)
            .map_err(|failure| failure.to_string())?;
        Ok(Self {
            qemu,
            images,
            deadlines,
            folder,
        })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets a guest write in this way to the disks of `machine` until its power goes; what it said.
    pub fn write(&self, name: &str, way: &str, machine: Machine) -> String {
        let boot = Boot::new(name, &self.images, machine.memory(256))
            .deadlines(self.deadlines)
            .option(&format!("writer={way}"));
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Init).unwrap();
        run.wait_end().unwrap();
        let said = run.serial().spoken();
        assert!(said.contains("writer: done"), "{said}");
        said
    }

    /// A disk of zeros.
    pub fn blank(&self, name: &str, length: u64) -> PathBuf {
        let path = self.folder().join(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(length).unwrap();
        path
    }
}

/// The kernel with the guest program as its init.
fn images(folder: &Path) -> Result<Images, String> {
    let cache = Cache::open().map_err(|error| error.to_string())?;
    let kernel = apt::cached_tree(&cache, &Request::new(["linux-image-amd64"]))
        .map_err(|error| error.to_string())?;
    let images = Images {
        kernel: folder.join("vmlinuz"),
        initramfs: folder.join("initramfs.img"),
    };
    let mut recipe = Recipe::new(kernel, env!("CARGO_BIN_EXE_disk-writer"));
    recipe.module_list = MODULES.to_owned();
    recipe.kernel_output = Some(images.kernel.clone());
    initramfs::build(&recipe, &images.initramfs, &|_| ()).map_err(|error| error.to_string())?;
    Ok(images)
}
