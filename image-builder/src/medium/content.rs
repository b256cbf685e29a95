use sha2::{Digest, Sha256};

use super::{BOOT_CODE, MediumError, Recipe, manifest};
use crate::boot_menu::{BootMenu, GRUB_CONFIG, INITRAMFS, KERNEL};
use crate::fat::NewFile;
use crate::grub::{EFI_START, Packages};
use crate::image::Origins;
use crate::inspect;

/// The files of a medium, in the order in which a start reads them.
pub(crate) struct Content {
    pub(crate) files: Vec<NewFile>,
    /// Of all of it and of the time: what the identities of the medium follow from.
    pub(crate) digest: [u8; 32],
    /// Where they are from.
    pub(crate) origins: Origins,
}

impl Content {
    pub(crate) fn collect(recipe: &Recipe, packages: &Packages) -> Result<Self, MediumError> {
        let has_shim = recipe.uki.is_none();
        let mut files = match recipe.read_uki()? {
            Some(uki) => vec![NewFile::new(EFI_START, uki)],
            None => packages.efi_files()?,
        };
        let menu = BootMenu::standard(&recipe.kernel_options)?;
        let menu = menu.grub_config(packages.efi_commands()?)?;
        files.push(NewFile::new(GRUB_CONFIG, menu));
        let (kernel, _) = recipe.read_kernel()?;
        let initramfs = recipe.read_initramfs()?;
        let mut origins = packages.origins(has_shim)?;
        inspect::tell_kernel(&mut origins, KERNEL, &kernel, &initramfs);
        files.push(NewFile::new(KERNEL, kernel));
        files.push(NewFile::new(INITRAMFS, initramfs));
        files.extend(packages.licenses(has_shim)?);
        let digest = digest(&files, recipe.modified);
        Ok(Self {
            files,
            digest,
            origins,
        })
    }

    /// Adds the manifest of the files that are there.
    pub(crate) fn add_manifest(&mut self) -> Result<(), MediumError> {
        let manifest = manifest(&self.files, &self.origins, &[], &[BOOT_CODE])?;
        self.files.push(manifest);
        Ok(())
    }

    /// The serial number of one of the file systems.
    pub(crate) fn volume_id(&self, name: &str) -> u32 {
        let hash = Sha256::new()
            .chain_update(self.digest)
            .chain_update(name)
            .finalize();
        let bytes = hash.iter().take(4);
        bytes.fold(0, |number, byte| number << 8 | u32::from(*byte))
    }
}

fn digest(files: &[NewFile], modified: u32) -> [u8; 32] {
    let mut digest = Sha256::new().chain_update(modified.to_le_bytes());
    for file in files {
        digest.update((file.path.len() as u64).to_le_bytes());
        digest.update(&file.path);
        digest.update((file.content.len() as u64).to_le_bytes());
        digest.update(&file.content);
    }
    digest.finalize().into()
}
