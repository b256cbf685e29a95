use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use image_builder::apt::{self, AptError};
use image_builder::cache::{Cache, CacheError};
use pci::{ClassCode, DeviceId, VendorId};

/// Counts changes of how it is built.
const FORMAT: u32 = 1;
/// Debian's source package, and the folder of it that the tool is built from.
const SOURCE: &str = "edk2";
const FOLDER: &str = "BaseTools/Source/C";

/// EDK2's own tool that makes option ROMs, built from Debian's edk2 source package.
#[derive(Clone, Debug)]
pub struct EfiRom {
    program: PathBuf,
}

/// A file that becomes an image.
#[derive(Clone, Copy, Debug)]
pub enum RomFile<'a> {
    /// An EFI driver (`-e`).
    Efi(&'a Path),
    /// An EFI driver to be packed (`-ec`).
    EfiCompressed(&'a Path),
    /// A legacy image (`-b`).
    Binary(&'a Path),
}

/// Why there is no EfiRom to be had, or no ROM from it.
#[derive(Debug, thiserror::Error)]
pub enum EfiRomError {
    /// The cache has no place.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Its source could not be fetched.
    #[error("Debian's source of {SOURCE} could not be fetched: {0}")]
    Fetch(#[from] AptError),
    /// A file could not be written or moved.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The source package has no archive of the original source.
    #[error("the source package of {SOURCE} has no .orig.tar archive")]
    NoArchive,
    /// A program failed or could not be started.
    #[error("{command} failed: {output}")]
    Failed {
        /// Which.
        command: String,
        /// The end of what it said.
        output: String,
    },
}

impl EfiRom {
    /// Builds it, or takes it from the cache. Needs make and a C compiler.
    pub fn obtain() -> Result<Self, EfiRomError> {
        let cache = Cache::open()?;
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let inputs = format!("{FORMAT} {SOURCE} {release}");
        let entry = cache.entry("efi-rom", inputs, build)?;
        Ok(Self {
            program: entry.join("EfiRom"),
        })
    }

    /// Makes a ROM of these files, each with this class code and revision, and gives its bytes. The
    /// first device is PCIR's; several make a device list.
    pub fn make(
        &self,
        (vendor, devices): (VendorId, &[DeviceId]),
        (class, revision): (ClassCode, u16),
        files: &[RomFile<'_>],
    ) -> Result<Vec<u8>, EfiRomError> {
        let folder = tempfile::tempdir().map_err(|source| at(Path::new("/tmp"), source))?;
        let out = folder.path().join("out.rom");
        let mut command = Command::new(&self.program);
        command.arg("-f").arg(format!("0x{vendor}")).arg("-i");
        command.args(devices.iter().map(|device| format!("0x{device}")));
        for file in files {
            // Both count for the next file alone.
            command.arg("-l").arg(format!("0x{class}"));
            command.arg("-r").arg(format!("0x{revision:x}"));
            let (flag, path) = match file {
                RomFile::Efi(path) => ("-e", path),
                RomFile::EfiCompressed(path) => ("-ec", path),
                RomFile::Binary(path) => ("-b", path),
            };
            command.arg(flag).arg(path);
        }
        run(command.arg("-o").arg(&out))?;
        fs::read(&out).map_err(|source| at(&out, source))
    }
}

/// Fetches the source, unpacks what is needed of it, and leaves the program alone in `place`.
fn build(place: &Path) -> Result<(), EfiRomError> {
    let work = place.join("work");
    let files = apt::fetch_source(SOURCE, &work.join("source"))?;
    let archive = files
        .iter()
        .find(|path| path.to_string_lossy().contains(".orig.tar."))
        .ok_or(EfiRomError::NoArchive)?;
    let tree = work.join("tree");
    fs::create_dir(&tree).map_err(|source| at(&tree, source))?;
    let mut unpack = Command::new("tar");
    unpack.arg("-xf").arg(archive).arg("-C").arg(&tree);
    // The archive's one folder has the version in its name.
    run(unpack
        .args(["--strip-components=1", "--wildcards"])
        .arg(format!("*/{FOLDER}/*")))?;
    let sources = tree.join(FOLDER);
    // Newer compilers warn about more, which EDK2 takes for errors.
    let mut make = Command::new("make");
    make.args(["EfiRom", "EXTRA_OPTFLAGS=-Wno-error"])
        .arg("-C")
        .arg(&sources);
    // Variables of a make that runs us are not meant for this one.
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CFLAGS"] {
        make.env_remove(name);
    }
    run(&mut make)?;
    let program = place.join("EfiRom");
    fs::rename(sources.join("bin/EfiRom"), &program).map_err(|source| at(&program, source))?;
    fs::remove_dir_all(&work).map_err(|source| at(&work, source))
}

fn at(path: &Path, source: io::Error) -> EfiRomError {
    EfiRomError::File {
        path: path.to_owned(),
        source,
    }
}

fn run(command: &mut Command) -> Result<(), EfiRomError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |output: String| EfiRomError::Failed {
        command: name.clone(),
        output,
    };
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    Err(failed(lines[lines.len().saturating_sub(20)..].join("\n")))
}
