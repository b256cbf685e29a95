//! The files of an image of ours as a software bill of materials (SPDX specification 2.3, JSON).

mod licenses;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use archives::{Unpacking, walk};
use licenses::{Licenses, plain};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::initramfs::{LICENSES, MANIFEST, is_read};
use super::manifest::{FileLine, FileSeen, Manifest};
use super::stored::{LARGEST_FILE, MediumFiles};
use crate::digest::{hexadecimal, sha256};
use crate::io::IoError;
use crate::licenses::Package;
use crate::medium;

const UNKNOWN: &str = "NOASSERTION";
const OTHER_CONTENT: &str =
    "It is not the file that the manifest of the image lists here: where it is from is not known";
const NOT_LISTED: &str =
    "The manifest of the image does not list it: where it is from is not known";

/// Why a file has no bill of materials.
#[derive(Debug, thiserror::Error)]
pub enum SpdxError {
    /// It could not be opened.
    #[error(transparent)]
    Io(#[from] IoError),
    /// It could not be read to its end.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It says not where its files come from.
    #[error(
        "it has no manifest that says which packages its files are from; image-builder's images have one"
    )]
    NoManifest,
}

/// Files that one manifest tells about, by path.
#[derive(Default)]
pub(super) struct Part {
    /// The file that they are in; none where they are no archive's.
    inside: Option<&'static str>,
    files: BTreeMap<String, Sums>,
    manifest: Option<Manifest>,
}

impl Part {
    /// The path of one of them with that of the file that it is in.
    fn whole(&self, path: &str) -> String {
        match self.inside {
            Some(archive) => format!("{archive}/{path}"),
            None => path.to_owned(),
        }
    }
}

/// What a file is told by.
struct Sums {
    seen: FileSeen,
    sha1: String,
}

/// The bill of materials of an initramfs that image-builder has made.
pub(super) fn of_initramfs(bytes: &[u8]) -> Result<Value, SpdxError> {
    let (part, modified) = initramfs(bytes, None, &mut Unpacking::default())?;
    document(&[part], "initramfs", &sha256(bytes), modified)
}

/// The bill of materials of these files: of what firmware and boot loaders read, and of what is in the initramfs. They
/// are read one by one, as far as they say what they are from, and together no more than `left` bytes.
pub(super) fn of_medium(medium: &MediumFiles, mut left: u64) -> Result<Value, SpdxError> {
    let manifest = medium.manifest().filter(Manifest::has_packages);
    let mut parts = vec![Part {
        manifest: Some(manifest.ok_or(SpdxError::NoManifest)?),
        ..Part::default()
    }];
    let mut modified = 0;
    let mut all = Sha256::new();
    let mut unpacking = Unpacking::default();
    for (number, (path, length)) in medium.files.iter().enumerate() {
        let rest = left
            .checked_sub(*length)
            .filter(|_| *length <= LARGEST_FILE);
        let bytes = rest.and_then(|_| (medium.read)(number));
        let (Some(rest), Some(bytes)) = (rest, bytes) else {
            return Err(SpdxError::Damaged(format!(
                "its file {path} cannot be read"
            )));
        };
        left = rest;
        let sums = sums(&bytes);
        all.update(path);
        all.update(sums.seen.sha256.as_deref().unwrap_or_default());
        if let Some(part) = parts.first_mut() {
            part.files.insert(path.clone(), sums);
        }
        let inside = medium.layout.initramfs;
        if path == inside {
            let (part, date) = initramfs(&bytes, Some(inside), &mut unpacking)?;
            parts.push(part);
            modified = date;
        }
    }
    document(
        &parts,
        medium.layout.what,
        &hexadecimal(&all.finalize()),
        modified,
    )
}

/// The files in an initramfs, and the newest of their times.
fn initramfs(
    bytes: &[u8],
    inside: Option<&'static str>,
    unpacking: &mut Unpacking,
) -> Result<(Part, u32), SpdxError> {
    let mut part = Part {
        inside,
        ..Part::default()
    };
    let mut modified = 0;
    let walked = walk(bytes, unpacking, &is_read, &mut |entry, bytes| {
        modified = modified.max(entry.modified);
        if !is_read(&entry) {
            return;
        }
        if entry.name == MANIFEST {
            part.manifest = Manifest::parse(&bytes, MANIFEST);
        }
        part.files.insert(entry.name, sums(&bytes));
    });
    walked.whole().map_err(SpdxError::Damaged)?;
    Ok((part, modified))
}

fn document(parts: &[Part], what: &str, digest: &str, modified: u32) -> Result<Value, SpdxError> {
    let mut licenses = Licenses::default();
    let (mut packages, mut files) = (BTreeMap::new(), Vec::new());
    let mut from = Vec::new();
    for part in parts {
        let manifest = part.manifest.as_ref();
        let manifest = manifest.filter(|manifest| manifest.has_packages());
        let manifest = manifest.ok_or(SpdxError::NoManifest)?;
        for (name, known) in &manifest.packages {
            let id = package_id(name, known);
            let text = || package(&id, name, known, &license_texts(parts, name), &mut licenses);
            packages.entry(id.clone()).or_insert_with(text);
        }
        for (path, sums) in &part.files {
            let listed = manifest.files.get(path);
            let line = listed.filter(|line| line.is(&sums.seen));
            let comment = match (listed, line) {
                (Some(_), None) => Some(OTHER_CONTENT),
                (None, _) if !manifest.may_add(path) => Some(NOT_LISTED),
                _ => None,
            };
            let path = part.whole(path);
            files.push(file(&path, sums, line, comment, &mut licenses));
            let package = line.and_then(|line| line.package.as_deref());
            let known = package.and_then(|name| Some((name, manifest.packages.get(name)?)));
            if let Some((name, known)) = known {
                // Of a package that is not here as a whole no file may be said to be contained (section 7.8).
                let ends = (json!(file_id(&path)), json!(package_id(name, known)));
                from.push(relationship(&ends.0, "GENERATED_FROM", &ends.1));
            }
            if let Some(archive) = part.inside {
                let ends = (json!(file_id(archive)), json!(file_id(&path)));
                from.push(relationship(&ends.0, "CONTAINS", &ends.1));
            }
        }
    }
    let packages: Vec<Value> = packages.into_values().collect();
    let described = files
        .iter()
        .chain(&packages)
        .filter_map(|part| part.get("SPDXID"));
    let described = described.map(|id| relationship(&json!("SPDXRef-DOCUMENT"), "DESCRIBES", id));
    let relationships: Vec<Value> = described.chain(from).collect();
    Ok(json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("Preflight {what}"),
        "documentNamespace": format!("https://spdx.org/spdxdocs/preflight-{what}-{digest}"),
        "creationInfo": {
            "created": date(modified),
            "creators": [concat!("Tool: image-builder-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "files": files,
        "relationships": relationships,
        "hasExtractedLicensingInfos": licenses.extracted(),
    }))
}

fn sums(bytes: &[u8]) -> Sums {
    Sums {
        seen: FileSeen {
            bytes: bytes.len() as u64,
            sha256: Some(sha256(bytes)),
        },
        sha1: hexadecimal(&Sha1::digest(bytes)),
    }
}

/// The copyright files of a package: in an initramfs, on a medium.
fn license_texts(parts: &[Part], name: &str) -> Vec<String> {
    let paths = [format!("{LICENSES}{name}"), medium::license_path(name)];
    let found = parts.iter().flat_map(|part| {
        let carried = paths.iter().filter(|path| part.files.contains_key(*path));
        carried.map(|path| format!("./{}", part.whole(path)))
    });
    found.collect()
}

fn package(
    id: &str,
    name: &str,
    known: &Package,
    texts: &[String],
    licenses: &mut Licenses,
) -> Value {
    let declared: BTreeSet<String> = known
        .licenses
        .iter()
        .map(|name| licenses.of(name))
        .collect();
    let declared: Vec<String> = declared
        .into_iter()
        .map(|license| match license.contains(' ') {
            true => format!("({license})"),
            false => license,
        })
        .collect();
    let declared = declared.join(" AND ");
    let mut package = json!({
        "SPDXID": id,
        "name": name,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": if declared.is_empty() { UNKNOWN } else { &declared },
        "copyrightText": UNKNOWN,
    });
    let source = known.source.as_deref();
    let version = source.and_then(|source| Some(source.split_once(' ')?.1));
    let texts = (!texts.is_empty()).then(|| texts.join(" and "));
    let optional = [
        ("versionInfo", version.map(str::to_owned)),
        (
            "sourceInfo",
            source.map(|source| format!("built from the source package {source}")),
        ),
        (
            "licenseComments",
            texts.map(|texts| format!("Its copyright file is {texts}")),
        ),
    ];
    add(&mut package, optional);
    package
}

/// What is not known has no key: SPDX takes no null for an answer.
fn add<const N: usize>(to: &mut Value, optional: [(&str, Option<String>); N]) {
    let known = optional
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    if let Value::Object(fields) = to {
        fields.extend(known.map(|(key, value)| (key.to_owned(), value.into())));
    }
}

fn file(
    path: &str,
    sums: &Sums,
    line: Option<&FileLine>,
    comment: Option<&str>,
    licenses: &mut Licenses,
) -> Value {
    let license = line.and_then(|line| line.license.as_deref());
    let license = license.map_or_else(|| UNKNOWN.to_owned(), |name| licenses.of(name));
    let mut file = json!({
        "SPDXID": file_id(path),
        "fileName": format!("./{path}"),
        "checksums": [
            {"algorithm": "SHA1", "checksumValue": sums.sha1},
            {"algorithm": "SHA256", "checksumValue": sums.seen.sha256},
        ],
        "licenseConcluded": UNKNOWN,
        "licenseInfoInFiles": [license],
        "copyrightText": UNKNOWN,
    });
    add(&mut file, [("comment", comment.map(str::to_owned))]);
    file
}

fn relationship(from: &Value, kind: &str, to: &Value) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

/// A medium may have files of two versions of a package.
fn package_id(name: &str, known: &Package) -> String {
    let version = known
        .source
        .as_deref()
        .map(|source| format!("-{}", plain(source)));
    format!(
        "SPDXRef-Package-{}{}",
        plain(name),
        version.unwrap_or_default()
    )
}

/// The digest keeps `a-b` and `a/b` apart.
fn file_id(path: &str) -> String {
    let digest = sha256(path.as_bytes());
    format!("SPDXRef-File-{}", digest.get(..16).unwrap_or_default())
}

/// Seconds since 1970 as `2023-11-14T22:13:20Z`.
fn date(seconds: u32) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(i64::from(seconds));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = moment.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", moment.date())
}
