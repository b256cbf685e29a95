use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module, init_module};

use crate::{Index, ModuleName};

/// Largest module that is decompressed here; the largest real ones are below 10 MiB.
const LARGEST: u64 = 64 << 20;

/// A module that the kernel would not take.
#[derive(Debug, thiserror::Error)]
#[error("cannot load {path}: {cause}")]
pub struct LoadError {
    path: PathBuf,
    cause: io::Error,
}

/// A module that was loaded, and how long the kernel took for it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its name.
    pub name: ModuleName,
    /// Time inside the kernel, initialisation of its devices included.
    pub took: Duration,
}

/// Loads modules with what they depend on, each once.
#[derive(Clone)]
pub struct Loader {
    index: Arc<Index>,
    /// Parameters by module: `module.option=value` on the kernel command line, and our own defaults.
    parameters: BTreeMap<ModuleName, String>,
    tried: BTreeSet<String>,
    waits_for_devices: bool,
}

impl Loader {
    /// `parameters`: what each module is given, as `option=value` words separated by blanks.
    pub fn new(index: Index, parameters: BTreeMap<ModuleName, String>) -> Self {
        Self {
            index: Arc::new(index),
            parameters,
            tried: BTreeSet::new(),
            waits_for_devices: true,
        }
    }

    /// One that does not wait until all drivers have found their devices: else the kernel ends the loading of a file
    /// system with waiting for a disk that another module drives (`do_init_module`, kernel/module/main.c).
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self {
            waits_for_devices: false,
            ..self
        }
    }

    /// The index it works from.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Loads a module and all it needs. What was tried before is not tried again.
    pub fn load(&mut self, name: &ModuleName) -> Vec<Result<Loaded, LoadError>> {
        let mut results = Vec::new();
        for path in self.index.load_order(name) {
            if self.tried.contains(&path) {
                continue;
            }
            let started = Instant::now();
            let result = self.load_file(&path);
            self.tried.insert(path.clone());
            match result {
                Ok(true) => results.push(Ok(Loaded {
                    name: ModuleName::of_file(&path).unwrap_or_else(|| ModuleName::new(&path)),
                    took: started.elapsed(),
                })),
                Ok(false) => {}
                Err(error) => results.push(Err(error)),
            }
        }
        results
    }

    /// `Ok(false)` when the kernel has it already.
    fn load_file(&self, relative: &str) -> Result<bool, LoadError> {
        let path = self.index.folder().join(relative);
        let failed = |cause| LoadError {
            path: path.clone(),
            cause,
        };
        let name = ModuleName::of_file(relative);
        let text = name
            .and_then(|name| self.parameters.get(&name))
            .map_or("", String::as_str);
        let wait = match self.waits_for_devices {
            true => "",
            false => " async_probe=1",
        };
        let parameters =
            CString::new(format!("{text}{wait}")).map_err(|error| failed(error.into()))?;
        let file = File::open(&path).map_err(failed)?;
        let done = if is_plain(relative) {
            finit_module(&file, &parameters, ModuleInitFlags::empty())
        } else {
            load_compressed(&path, file, &parameters).map_err(failed)?
        };
        match done {
            Ok(()) => Ok(true),
            // It is loaded already, or its hardware is not there after all.
            Err(Errno::EEXIST | Errno::ENODEV) => Ok(false),
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

fn is_plain(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "ko")
}

/// Lets the kernel decompress, where it was built to (`CONFIG_MODULE_DECOMPRESS`, one format only); else
/// decompresses here.
fn load_compressed(path: &Path, file: File, parameters: &CString) -> io::Result<Result<(), Errno>> {
    // MODULE_INIT_COMPRESSED_FILE of linux/module.h, which nix does not name.
    let compressed = ModuleInitFlags::from_bits_retain(4);
    match finit_module(&file, parameters, compressed) {
        Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOEXEC | Errno::ENOSYS) => {}
        answer => return Ok(answer),
    }
    let image = decompress(path, file)?;
    Ok(init_module(&image, parameters))
}

/// Reads a `.ko.xz`, `.ko.zst` or `.ko.gz`.
fn decompress(path: &Path, file: File) -> io::Result<Vec<u8>> {
    let reader: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => Box::new(liblzma::read::XzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "unknown kind of module file",
            ));
        }
    };
    let mut image = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut image)?;
    if image.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "larger than any module",
        ));
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_kind_of_compressed_module_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let image = b"not a module, only bytes".repeat(100);
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(&image).unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&image).unwrap();
        for (name, bytes) in [
            ("a.ko.xz", xz.finish().unwrap()),
            ("a.ko.gz", gz.finish().unwrap()),
            ("a.ko.zst", zstd::encode_all(&image[..], 3).unwrap()),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(
                decompress(&path, File::open(&path).unwrap()).unwrap(),
                image,
                "{name}"
            );
        }
    }

    #[test]
    fn a_module_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("modules.dep"), "kernel/gone.ko:\n").unwrap();
        let mut loader = Loader::new(Index::read(folder.path()).unwrap(), BTreeMap::new());
        let results = loader.load(&ModuleName::new("gone"));
        let error = results[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("kernel/gone.ko"), "{error}");
        assert!(
            loader.load(&ModuleName::new("gone")).is_empty(),
            "it is tried once"
        );
    }
}
