//! A unified kernel image: kernel, initramfs and command line in one program for UEFI, which one signature covers
//! (the specification of the UAPI group). For machines that know a key of their owner's.

mod error;
mod pe;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use error::UkiError;
pub use pe::{Section, with_sections};

use crate::apt::{self, AptError, Request};
use crate::boot_menu::{BootMenu, MenuEntry};
use crate::cache::Cache;
use crate::digest::sha256;
use crate::fat::NewFile;
use crate::image::Origins;
use crate::inspect;
use crate::io::{self, Context};
use crate::licenses::Package;
use crate::medium::{self, MediumError, Outside, Recipe};
use crate::package::program;
use crate::progress::Progress::Doing;
use crate::progress::Watch;

/// What the part of a unified kernel image is from that firmware starts.
pub(crate) const STUB_PACKAGE: &str = "systemd-boot-efi";
const STUB: &str = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";
const SIGNER_PACKAGE: &str = "sbsigntool";
const SIGNER: &str = "usr/bin/sbsign";

/// The section that says what the others are from, which no specification names and stubs leave alone.
pub(crate) const MANIFEST: &str = ".origin";
pub(crate) const INITRAMFS: &str = ".initrd";
const KERNEL: &str = ".linux";
const AROUND: Outside = Outside {
    place: "the program around these sections",
    package: STUB_PACKAGE,
};

/// What UEFI's shells and boot loaders show.
const RELEASE: &str = "ID=preflight\nNAME=Preflight\nPRETTY_NAME=Preflight\n";

/// A key and its certificate, both PEM; the key without a passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The private key.
    pub key: PathBuf,
    /// The certificate that the machine knows.
    pub certificate: PathBuf,
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// `preflight.uki/1`
    pub schema: &'static str,
    /// Bytes of the program.
    pub bytes: u64,
    /// The release of the kernel, when it says one.
    pub kernel: Option<String>,
    /// The kernel's command line.
    pub command_line: String,
    /// Of the program before it was signed: a signature has a time in it.
    pub sha256: String,
    /// Whether it is signed.
    pub signed: bool,
}

/// Builds the program that starts the entry `id` of the boot menu into a file, which appears only when it is whole.
/// Without a key its bytes depend on the recipe and on Debian's stub alone.
pub fn build(
    recipe: &Recipe,
    id: &str,
    key: Option<&Key>,
    cache: &Cache,
    output: &Path,
    progress: Watch,
) -> Result<Built, UkiError> {
    let menu = BootMenu::standard(&recipe.kernel_options).map_err(MediumError::Menu)?;
    let entry = menu.entries.iter().find(|entry| entry.id == id);
    let entry = entry.ok_or_else(|| no_entry(id, &menu.entries))?;
    let command_line = entry.options.join(" ");
    progress(Doing("fetching systemd's stub"));
    let root = stub_root(cache)?;
    let stub = io::read(&root.join(STUB))?;
    progress(Doing("putting kernel and initramfs together"));
    let (kernel, image) = recipe.read_kernel()?;
    let release = image.release().map(str::to_owned);
    let initramfs = recipe.read_initramfs()?;
    let mut parts = vec![
        NewFile::new(".osrel", RELEASE),
        NewFile::new(".uname", release.as_deref().unwrap_or_default()),
        NewFile::new(".cmdline", command_line.as_str()),
        NewFile::new(INITRAMFS, initramfs),
        // Last: some stubs let the kernel unpack itself over what comes behind it.
        NewFile::new(KERNEL, kernel),
    ];
    let manifest = manifest(&parts, Package::unpacked(&root, STUB_PACKAGE)?)?;
    parts.insert(0, NewFile::new(MANIFEST, manifest.content));
    let sections = parts.iter().map(|part| Section {
        name: &part.path,
        bytes: &part.content,
    });
    let sections: Vec<_> = sections.collect();
    let unsigned = with_sections(&stub, &sections)?;
    let made = match key {
        None => unsigned.clone(),
        Some(key) => {
            progress(Doing("signing"));
            signed(&unsigned, key, cache)?
        }
    };
    let bytes = io::put_in_place(output, |file| {
        std::io::Write::write_all(file, &made).at("write", output)
    })?;
    Ok(Built {
        schema: "preflight.uki/1",
        bytes,
        kernel: release,
        command_line,
        sha256: sha256(&unsigned),
        signed: key.is_some(),
    })
}

/// What these sections are from, by what the initramfs among them says of the kernel.
fn manifest(parts: &[NewFile], stub: Package) -> Result<NewFile, MediumError> {
    let mut origins = Origins::default();
    origins.package(STUB_PACKAGE, stub);
    for ours in [".osrel", ".cmdline"] {
        origins.license(ours, env!("CARGO_PKG_LICENSE"));
    }
    let of = |name: &str| parts.iter().find(|part| part.path == name);
    if let (Some(kernel), Some(initramfs)) = (of(KERNEL), of(INITRAMFS)) {
        inspect::tell_kernel(&mut origins, KERNEL, &kernel.content, &initramfs.content);
    }
    medium::manifest(parts, &origins, &[], &[AROUND])
}

/// Where systemd's stub and what tells of it lie unpacked.
pub(crate) fn stub_root(cache: &Cache) -> Result<PathBuf, AptError> {
    apt::cached_tree(cache, &Request::new([STUB_PACKAGE]))
}

fn no_entry(id: &str, entries: &[MenuEntry]) -> UkiError {
    let known: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    UkiError::Entry {
        id: id.to_owned(),
        known: known.join(", "),
    }
}

fn signed(unsigned: &[u8], key: &Key, cache: &Cache) -> Result<Vec<u8>, UkiError> {
    let request = Request::new([SIGNER_PACKAGE]).with_dependencies();
    let root = apt::cached_tree(cache, &request)?;
    let folder = tempfile::tempdir().at("make a folder in", &std::env::temp_dir())?;
    let [from, to] = ["unsigned", "signed"].map(|name| folder.path().join(name));
    io::write(&from, unsigned)?;
    let mut command = program(&root, SIGNER);
    command
        .arg("--key")
        .arg(&key.key)
        .arg("--cert")
        .arg(&key.certificate);
    command.arg("--output").arg(&to).arg(&from);
    let program = root.join(SIGNER);
    let ran = command
        .stdin(std::process::Stdio::null())
        .output()
        .at("run", &program)?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        return Err(UkiError::Sign { said });
    }
    Ok(io::read(&to)?)
}
