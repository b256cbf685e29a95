use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use image_builder::image::Level;

use crate::images::output_folder;
use crate::lab_image::{Reads, Sources, made_once};
use crate::{Images, initramfs};

/// What `make image` carries by itself, and ZFS.
const TOOLS: [&str; 4] = ["lvm", "mdadm", "btrfs", "zfs"];

/// The program that the image of `make image` starts: a file that runs on any Linux of its architecture. An error when
/// there is no image.
pub fn preflight_of_image() -> Result<PathBuf> {
    let plain = Images::find().map_err(|why| anyhow!(why))?;
    let bytes = fs::read(&plain.initramfs)
        .with_context(|| format!("cannot read {}", plain.initramfs.display()))?;
    let mut entries = initramfs::read(&bytes)?.into_iter();
    let init = entries.find(|entry| entry.name == "init");
    let init = init.with_context(|| format!("{} has no init", plain.initramfs.display()))?;
    let folder = output_folder().join("lab");
    fs::create_dir_all(&folder)?;
    // One for each content: another test may read it while this one writes.
    let path = folder.join(format!("init-{}", &crate::sha256(&init.bytes)[..16]));
    let fresh = tempfile::NamedTempFile::new_in(&folder)?;
    fs::write(fresh.path(), &init.bytes)?;
    fs::set_permissions(fresh.path(), fs::Permissions::from_mode(0o755))?;
    fresh.persist(&path)?;
    Ok(path)
}

/// The image that `make image` has built, made again with ZFS: its init, and modules, tools and kernel as a host
/// with ZFS has them. An error when there is no image, or when ZFS's modules are neither there nor to be built.
pub fn image_with_zfs() -> Result<Images> {
    let path = preflight_of_image()?;
    let mut recipe = Sources::fetch(Reads::Everything)?.recipe(&path);
    recipe.tools = TOOLS.map(str::to_owned).to_vec();
    made_once("product-zfs", recipe)
}

/// The same as a release has it, of this suite of Debian: as small as it gets, and without ZFS.
pub fn release_image(suite: &str) -> Result<Images> {
    let path = preflight_of_image()?;
    let mut recipe = Sources::of_debian(suite)?.recipe(&path);
    recipe.tools = TOOLS[..3].iter().map(|&tool| tool.to_owned()).collect();
    recipe.level = Level::Small;
    made_once(&format!("release-{suite}"), recipe)
}
