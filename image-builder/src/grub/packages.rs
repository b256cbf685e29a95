use std::path::{Path, PathBuf};

use super::core_image::{self, Format};
use super::{BiosBoot, GrubError, prefix};
use crate::apt::{self, Request};
use crate::boot_menu::{EfiCommands, GRUB_CONFIG, GRUB_FOLDER};
use crate::cache::Cache;
use crate::fat::NewFile;
use crate::image::Origins;
use crate::io;
use crate::licenses::{COPYRIGHT, DOCUMENTS, Package};
use crate::medium::license_path;
use crate::uki;

/// GRUB for BIOS.
pub(crate) const BIOS_PACKAGE: &str = "grub-pc-bin";
const EFI_PACKAGES: [&str; 3] = [
    "shim-signed",
    "shim-helpers-amd64-signed",
    "grub-efi-amd64-signed",
];

const SIGNED_GRUB: &str = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed";

/// What UEFI firmware starts of a removable medium (UEFI specification, 3.5.1.1).
pub const EFI_START: &str = "EFI/BOOT/BOOTX64.EFI";

/// What firmware and shim look for on a removable medium, and the packages that have it. Without MokManager, shim
/// cannot ask a person about keys and stops.
const EFI_FILES: [(&str, &str, &str); 3] = [
    (EFI_START, "usr/lib/shim/shimx64.efi.signed", "shim-signed"),
    ("EFI/BOOT/grubx64.efi", SIGNED_GRUB, "grub-efi-amd64-signed"),
    (
        "EFI/BOOT/mmx64.efi",
        "usr/lib/shim/mmx64.efi.signed",
        "shim-helpers-amd64-signed",
    ),
];

/// On a CD, GRUB's core for BIOS is a file in the folder of GRUB.
pub(crate) const CD_CORE: &str = "eltorito.img";

/// Debian's boot loaders, unpacked.
#[derive(Debug, Clone)]
pub struct Packages {
    /// GRUB for BIOS with its tools and all that they depend on.
    bios: PathBuf,
    /// shim and GRUB for UEFI, signed.
    efi: PathBuf,
    /// For systemd's stub, which few media have.
    cache: Cache,
}

impl Packages {
    /// From the mirror that the machine's apt uses; the cache keeps them.
    pub fn fetch(cache: &Cache) -> Result<Self, GrubError> {
        Self::fetch_as(cache, |request| request)
    }

    /// The same, of this suite of Debian, such as `trixie`.
    pub fn fetch_from_debian(cache: &Cache, suite: &str) -> Result<Self, GrubError> {
        Self::fetch_as(cache, |request| request.from_debian([suite]))
    }

    fn fetch_as(cache: &Cache, of: impl Fn(Request) -> Request) -> Result<Self, GrubError> {
        let bios = Request::new([BIOS_PACKAGE]).with_dependencies();
        Ok(Self {
            bios: apt::cached_tree(cache, &of(bios))?,
            efi: apt::cached_tree(cache, &of(Request::new(EFI_PACKAGES)))?,
            cache: cache.clone(),
        })
    }

    /// Where GRUB for BIOS and its tools lie unpacked.
    pub fn bios_root(&self) -> &Path {
        &self.bios
    }

    /// GRUB for a BIOS that starts a disk whose BIOS boot partition starts at the byte `core_start`; it reads
    /// its configuration from the partition of this number.
    pub fn bios_boot(&self, core_start: u64, partition: u32) -> Result<BiosBoot, GrubError> {
        let prefix = format!("(,gpt{partition})/{GRUB_FOLDER}");
        let core = core_image::make(&self.bios, Format::Disk, &prefix)?;
        let boot = io::read(&self.bios.join("usr/lib/grub/i386-pc/boot.img"))?;
        BiosBoot::placed(&boot, &core, core_start)
    }

    /// GRUB for a BIOS that starts a CD, and the boot code for a disk
    /// that is the copy of one; it loads the same.
    pub fn cd_boot(&self) -> Result<(Vec<u8>, Vec<u8>), GrubError> {
        let core = core_image::make(&self.bios, Format::Cd, &format!("/{GRUB_FOLDER}"))?;
        let boot = io::read(&self.bios.join("usr/lib/grub/i386-pc/boot_hybrid.img"))?;
        Ok((core, boot))
    }

    /// The files that UEFI firmware, shim and GRUB read before the boot menu.
    pub fn efi_files(&self) -> Result<Vec<NewFile>, GrubError> {
        let read = |(path, from, _): (&str, &str, &str)| {
            Ok(NewFile::new(path, io::read(&self.efi.join(from))?))
        };
        let mut files: Vec<NewFile> = EFI_FILES
            .into_iter()
            .map(read)
            .collect::<Result<_, GrubError>>()?;
        let menu = format!("configfile /{GRUB_CONFIG}\n");
        files.push(NewFile::new(self.efi_config()?, menu));
        Ok(files)
    }

    /// In the place of the last of [`Packages::efi_files`]: the boot menu is on whichever medium has this file. The
    /// EFI files of a CD are in a file system of their own, and GRUB takes now that and now the CD for its own. The disk
    /// that it started from is asked first, for a second stick has the same file.
    pub fn efi_search(&self, marker: &str) -> Result<NewFile, GrubError> {
        let menu = format!(
            "set own=\nregexp --set=1:own '^([^,]+)' \"$root\"\nsearch --no-floppy --set=root --hint \"$own\" --file \
             /{marker}\nconfigfile /{GRUB_CONFIG}\n"
        );
        Ok(NewFile::new(self.efi_config()?, menu))
    }

    /// The commands of the signed GRUB.
    pub fn efi_commands(&self) -> Result<EfiCommands, GrubError> {
        Ok(EfiCommands::of(&io::read(&self.efi.join(SIGNED_GRUB))?))
    }

    /// Where the signed GRUB looks for its configuration on the medium that it was started from.
    fn efi_config(&self) -> Result<String, GrubError> {
        prefix::config(&io::read(&self.efi.join(SIGNED_GRUB))?)
    }

    /// The packages that boot loaders of a medium are from, and where they lie unpacked: GRUB for BIOS, and for UEFI
    /// shim and GRUB, or the stub of a unified kernel image in their place.
    fn carried(&self, has_shim: bool) -> Result<Vec<(PathBuf, &'static str)>, GrubError> {
        let mut carried = vec![(self.bios.clone(), BIOS_PACKAGE)];
        match has_shim {
            true => carried.extend(EFI_PACKAGES.map(|name| (self.efi.clone(), name))),
            false => carried.push((uki::stub_root(&self.cache)?, uki::STUB_PACKAGE)),
        }
        Ok(carried)
    }

    /// Where the boot loaders of a medium are from; without shim it has a unified kernel image, whose package nobody
    /// can know.
    pub fn origins(&self, has_shim: bool) -> Result<Origins, GrubError> {
        let mut origins = Origins::default();
        for (root, name) in self.carried(has_shim)? {
            origins.package(name, Package::unpacked(&root, name)?);
            origins.file(&license_path(name), name);
        }
        origins.file(&format!("{GRUB_FOLDER}/{CD_CORE}"), BIOS_PACKAGE);
        for (path, _, package) in EFI_FILES.into_iter().filter(|_| has_shim) {
            origins.file(path, package);
        }
        origins.license(GRUB_CONFIG, env!("CARGO_PKG_LICENSE"));
        if has_shim {
            origins.license(&self.efi_config()?, env!("CARGO_PKG_LICENSE"));
        }
        Ok(origins)
    }

    /// The copyright files of what [`Packages::origins`] tells.
    pub fn licenses(&self, has_shim: bool) -> Result<Vec<NewFile>, GrubError> {
        let read = |(root, name): (PathBuf, &str)| {
            let path = root.join(DOCUMENTS).join(name).join(COPYRIGHT);
            Ok(NewFile::new(license_path(name), io::read(&path)?))
        };
        self.carried(has_shim)?.into_iter().map(read).collect()
    }
}
