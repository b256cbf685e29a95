use std::fs;
use std::path::Path;

use anyhow::Context;
use image_builder::initramfs::Binary;

use super::Request;
use crate::Images;
use crate::initramfs::{self, Entry};
use crate::lab_image::{Reads, Sources, made_once};

/// What the guest needs beside what the tools bring: its port and its disks.
const MODULES: &str = "[guest]\nvirtio_pci\nvirtio_console\nvirtio_blk\next4\nxfs\nbtrfs\nvfat\n\
    nls_cp437\nnls_iso8859-1\nnls_ascii\nnls_utf8\nloop\ncrc32c_generic\ndm_snapshot\n\
    raid1\naesni_intel?\nxts\necb?\ncbc?\nessiv?\nalgif_skcipher\nsha256_ssse3?\n";

const TOOLS: [&str; 4] = ["lvm", "mdadm", "btrfs", "cryptsetup"];
const MAKERS: [(&str, &str); 4] = [
    ("/sbin/mke2fs", "/bin/mke2fs"),
    ("/sbin/e2fsck", "/bin/e2fsck"),
    ("/sbin/mkfs.xfs", "/bin/mkfs.xfs"),
    ("/sbin/mkfs.btrfs", "/bin/mkfs.btrfs"),
];

/// A kernel and an initramfs in `folder` whose init is the program `init`, which carries out `requests`.
pub fn image(
    init: &Path,
    reads: Reads,
    requests: &[Request],
    folder: &Path,
) -> anyhow::Result<Images> {
    let base = base(init, reads)?;
    let mut image = fs::read(&base.initramfs).context("the guest's image")?;
    image.resize(image.len().next_multiple_of(512), 0);
    let list = serde_json::to_vec(requests)?;
    image.extend(initramfs::write(&[Entry::file("requests.json", list)])?);
    let path = folder.join("storage.img");
    fs::write(&path, image).with_context(|| path.display().to_string())?;
    Ok(Images {
        kernel: base.kernel,
        initramfs: path,
    })
}

/// The image without requests.
fn base(init: &Path, reads: Reads) -> anyhow::Result<Images> {
    let mut recipe = Sources::fetch(reads)?.recipe(init);
    MODULES.clone_into(&mut recipe.module_list);
    recipe.tools = TOOLS.map(str::to_owned).to_vec();
    recipe.binaries = MAKERS
        .map(|(path, destination)| Binary {
            path: path.to_owned(),
            destination: Some(destination.to_owned()),
        })
        .to_vec();
    match reads {
        Reads::AllButZfs => made_once("storage-guest", recipe),
        Reads::Everything => {
            recipe.tools.push("zfs".to_owned());
            made_once("storage-guest-zfs", recipe)
        }
    }
}
