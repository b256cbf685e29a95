use super::{MediumError, Recipe};
use crate::inspect;
use crate::io;
use crate::kernel_image::KernelImage;

/// What a person names is read here, and refused where no machine could start from it.
impl Recipe {
    pub(crate) fn read_kernel(&self) -> Result<(Vec<u8>, KernelImage), MediumError> {
        let path = &self.kernel;
        let bytes = io::read(path)?;
        let image = KernelImage::parse(&bytes);
        let image = image.ok_or_else(|| MediumError::NoKernel { path: path.clone() })?;
        Ok((bytes, image))
    }

    pub(crate) fn read_initramfs(&self) -> Result<Vec<u8>, MediumError> {
        let path = &self.initramfs;
        let bytes = io::read(path)?;
        match inspect::begins_as_initramfs(&bytes) {
            true => Ok(bytes),
            false => Err(MediumError::NoInitramfs { path: path.clone() }),
        }
    }

    /// None where there is to be none.
    pub(crate) fn read_uki(&self) -> Result<Option<Vec<u8>>, MediumError> {
        let Some(path) = &self.uki else {
            return Ok(None);
        };
        let bytes = io::read(path)?;
        match inspect::is_unified(&bytes) {
            true => Ok(Some(bytes)),
            false => Err(MediumError::NotUnified { path: path.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A recipe whose kernel, initramfs and unified kernel image are these files.
    fn recipe(folder: &Path, [kernel, initramfs, uki]: [&str; 3]) -> Recipe {
        let mut bzimage = vec![0x5a; 0x400];
        bzimage[0x202..0x206].copy_from_slice(b"HdrS");
        fs::write(folder.join("vmlinuz"), bzimage).unwrap();
        fs::write(
            folder.join("initramfs.img"),
            [&[0; 4][..], b"070701"].concat(),
        )
        .unwrap();
        Recipe {
            kernel: folder.join(kernel),
            initramfs: folder.join(initramfs),
            kernel_options: Vec::new(),
            uki: Some(folder.join(uki)),
            modified: 0,
        }
    }

    #[test]
    fn files_that_were_taken_for_each_other_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let right = recipe(folder.path(), ["vmlinuz", "initramfs.img", "vmlinuz"]);
        assert!(right.read_kernel().is_ok() && right.read_initramfs().is_ok());
        let wrong = recipe(folder.path(), ["initramfs.img", "vmlinuz", "initramfs.img"]);
        let refusals = [
            (
                wrong.read_kernel().err(),
                "initramfs.img is no Linux kernel",
            ),
            (wrong.read_initramfs().err(), "vmlinuz is no initramfs"),
            (
                wrong.read_uki().err(),
                "initramfs.img is no unified kernel image",
            ),
            (right.read_uki().err(), "vmlinuz is no unified kernel image"),
        ];
        for (error, words) in refusals {
            let error = error.unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
