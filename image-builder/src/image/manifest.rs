use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Image, Node, Origins};
use crate::digest::sha256;
use crate::licenses::Package;
use crate::modules::{Cause, Modules};
use crate::parallel;

/// Who writes manifests.
pub(crate) const BUILDER: &str = concat!("image-builder ", env!("CARGO_PKG_VERSION"));

/// How much one reason brought into an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Size {
    /// The reason.
    pub reason: String,
    /// Number of files.
    pub files: usize,
    /// Their bytes before compression.
    pub bytes: usize,
}

/// One module of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleLine {
    /// Its name.
    pub name: String,
    /// Why it is there.
    pub because: String,
}

/// One file of a manifest.
#[derive(Serialize)]
pub(crate) struct FileLine<'a> {
    pub(crate) path: String,
    pub(crate) bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    pub(crate) reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<&'a str>,
}

/// The kernel that an image is for, which lies beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLine {
    /// Of the kernel image.
    pub sha256: String,
    /// The Debian package that it is from.
    pub package: Option<String>,
}

#[derive(Serialize)]
struct Manifest<'a> {
    schema: &'static str,
    builder: &'static str,
    kernel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_image: Option<KernelLine>,
    modules: Vec<ModuleLine>,
    left_out: &'a [String],
    packages: &'a BTreeMap<String, Package>,
    files: Vec<FileLine<'a>>,
}

/// The sizes by reason, largest first.
pub fn sizes(image: &Image) -> Vec<Size> {
    let mut sums: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (_, entry) in image.iter() {
        if let Node::File { content, .. } = &entry.node {
            let sum = sums.entry(&entry.reason).or_default();
            *sum = (sum.0 + 1, sum.1 + content.len());
        }
    }
    let mut sizes: Vec<_> = sums
        .into_iter()
        .map(|(reason, (files, bytes))| Size {
            reason: reason.to_owned(),
            files,
            bytes,
        })
        .collect();
    sizes.sort_by_key(|size| std::cmp::Reverse(size.bytes));
    sizes
}

/// A JSON document of every file and module in an image, why it is there, which Debian package it is from and
/// under which licence, for a look from inside. `digests`: those that are known already, by path in the image.
pub fn manifest(
    image: &Image,
    digests: &BTreeMap<String, String>,
    kernel: &str,
    kernel_image: Option<KernelLine>,
    modules: &Modules,
    origins: &Origins,
) -> serde_json::Result<Vec<u8>> {
    let files = image.iter().filter_map(|(path, entry)| match &entry.node {
        Node::File { content, .. } => Some((path, &entry.reason, content)),
        _ => None,
    });
    let files: Vec<_> = files.collect();
    let lines = parallel::map(&files, |(path, reason, content)| FileLine {
        path: format!("/{path}"),
        bytes: content.len(),
        sha256: Some(
            digests
                .get(*path)
                .cloned()
                .unwrap_or_else(|| sha256(content)),
        ),
        reason,
        package: origins.package_of(path),
        license: origins.license_of(path),
    });
    let manifest = Manifest {
        schema: "preflight.manifest/1",
        builder: BUILDER,
        kernel,
        kernel_image,
        modules: module_lines(modules),
        left_out: modules.left_out(),
        packages: origins.packages(),
        files: lines,
    };
    let mut text = serde_json::to_vec_pretty(&manifest)?;
    text.push(b'\n');
    Ok(text)
}

fn module_lines(modules: &Modules) -> Vec<ModuleLine> {
    modules
        .iter()
        .map(|(name, module)| ModuleLine {
            name: name.to_string(),
            because: match &module.cause {
                Cause::Listed(entry) => format!("listed in {}: {entry}", module.group),
                Cause::NeededBy(other) => format!("needed by {other}"),
                Cause::WantedBy(other) => format!("wanted by {other}"),
            },
        })
        .collect()
}
