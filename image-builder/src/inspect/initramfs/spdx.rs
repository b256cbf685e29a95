//! The files of an image of ours as a software bill of materials (SPDX specification 2.3, JSON).

use std::collections::{BTreeMap, BTreeSet};

use archives::{Entry, Unpacking, walk};
use serde_json::{Value, json};
use sha1::Sha1;

use super::manifest::{FileLine, Manifest};
use super::{MANIFEST, is_read};
use crate::digest::{hexadecimal, sha256};
use crate::licenses::Package;

/// Short names of Debian's and of MODULE_LICENSE (the kernel's license-rules.rst) with what SPDX calls them. The
/// kernel's `GPL` leaves open whether later versions count, so that version 2 alone is sure.
const LICENSES: [(&str, &str); 27] = [
    ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
    ("GPL", "GPL-2.0-only"),
    ("GPL v2", "GPL-2.0-only"),
    ("GPL-2", "GPL-2.0-only"),
    ("GPL-2.0", "GPL-2.0-only"),
    ("GPL-2+", "GPL-2.0-or-later"),
    ("GPL-2.0+", "GPL-2.0-or-later"),
    ("GPL-3", "GPL-3.0-only"),
    ("GPL-3+", "GPL-3.0-or-later"),
    ("LGPL-2", "LGPL-2.0-only"),
    ("LGPL-2+", "LGPL-2.0-or-later"),
    ("LGPL-2.1", "LGPL-2.1-only"),
    ("LGPL-2.1+", "LGPL-2.1-or-later"),
    ("LGPL-3+", "LGPL-3.0-or-later"),
    ("BSD-2-clause", "BSD-2-Clause"),
    ("BSD-2-Clause", "BSD-2-Clause"),
    ("BSD-3-clause", "BSD-3-Clause"),
    ("BSD-3-Clause", "BSD-3-Clause"),
    ("BSD-4-clause", "BSD-4-Clause"),
    ("Expat", "MIT"),
    ("zlib", "Zlib"),
    ("Zlib", "Zlib"),
    ("ISC", "ISC"),
    ("MIT", "MIT"),
    ("X11", "X11"),
    ("CC0-1.0", "CC0-1.0"),
    ("Beerware", "Beerware"),
];

const UNKNOWN: &str = "NOASSERTION";

/// Why an image has no bill of materials.
#[derive(Debug, thiserror::Error)]
pub enum SpdxError {
    /// It could not be read to its end.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It says not where its files come from.
    #[error(
        "it has no manifest that says which packages its files are from; image-builder's images have one"
    )]
    NoManifest,
}

/// The bill of materials of an image that image-builder has made.
pub fn spdx(bytes: &[u8]) -> Result<Value, SpdxError> {
    let mut collected = Collected::default();
    let walked = walk(
        bytes,
        &mut Unpacking::default(),
        &is_read,
        &mut |entry, bytes| {
            collected.take(entry, bytes);
        },
    );
    walked.whole().map_err(SpdxError::Damaged)?;
    let manifest = collected.manifest.take();
    let manifest = manifest.filter(|manifest| !manifest.packages.is_empty());
    let manifest = manifest.ok_or(SpdxError::NoManifest)?;
    let mut licenses = Licenses::default();
    let packages = manifest.packages.iter();
    let packages: Vec<Value> = packages
        .map(|(name, known)| package(name, known, &mut licenses))
        .collect();
    let files = collected.files.iter();
    let files: Vec<Value> = files
        .map(|(path, sums)| file(path, sums, manifest.files.get(path), &mut licenses))
        .collect();
    let described = files
        .iter()
        .chain(&packages)
        .filter_map(|part| part.get("SPDXID"));
    let described = described.map(|id| relationship(&json!("SPDXRef-DOCUMENT"), "DESCRIBES", id));
    let contained = manifest.files.iter().filter_map(|(path, line)| {
        let package = line.package.as_deref()?;
        let known = collected.files.contains_key(path);
        let ends = (json!(package_id(package)), json!(file_id(path)));
        known.then(|| relationship(&ends.0, "CONTAINS", &ends.1))
    });
    let relationships: Vec<Value> = described.chain(contained).collect();
    Ok(json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "Preflight initramfs",
        "documentNamespace": format!("https://spdx.org/spdxdocs/preflight-initramfs-{}", sha256(bytes)),
        "creationInfo": {
            "created": date(collected.modified),
            "creators": [concat!("Tool: image-builder-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "files": files,
        "relationships": relationships,
        "hasExtractedLicensingInfos": licenses.extracted(),
    }))
}

#[derive(Default)]
struct Collected {
    files: BTreeMap<String, [String; 2]>,
    manifest: Option<Manifest>,
    modified: u32,
}

impl Collected {
    fn take(&mut self, entry: Entry, bytes: Vec<u8>) {
        self.modified = self.modified.max(entry.modified);
        if !is_read(&entry) {
            return;
        }
        if entry.name == MANIFEST {
            self.manifest = Manifest::parse(&bytes);
        }
        let sha1 = hexadecimal(&<Sha1 as sha1::Digest>::digest(&bytes));
        self.files.insert(entry.name, [sha1, sha256(&bytes)]);
    }
}

fn package(name: &str, known: &Package, licenses: &mut Licenses) -> Value {
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
    json!({
        "SPDXID": package_id(name),
        "name": name,
        "versionInfo": known.source.as_deref().and_then(|source| Some(source.split_once(' ')?.1)),
        "sourceInfo": known.source.as_ref().map(|source| format!("Debian source package {source}")),
        "supplier": "Organization: Debian",
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": if declared.is_empty() { UNKNOWN } else { &declared },
        "licenseComments": format!("Its copyright file is in the image: /usr/share/preflight/licenses/{name}"),
        "copyrightText": UNKNOWN,
    })
}

fn file(
    path: &str,
    [sha1, sha256]: &[String; 2],
    line: Option<&FileLine>,
    licenses: &mut Licenses,
) -> Value {
    let license = line.and_then(|line| line.license.as_deref());
    let license = license.map_or_else(|| UNKNOWN.to_owned(), |name| licenses.of(name));
    json!({
        "SPDXID": file_id(path),
        "fileName": format!("./{path}"),
        "checksums": [
            {"algorithm": "SHA1", "checksumValue": sha1},
            {"algorithm": "SHA256", "checksumValue": sha256},
        ],
        "licenseConcluded": UNKNOWN,
        "licenseInfoInFiles": [license],
        "copyrightText": UNKNOWN,
    })
}

fn relationship(from: &Value, kind: &str, to: &Value) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

fn package_id(name: &str) -> String {
    format!("SPDXRef-Package-{}", plain(name))
}

/// The digest keeps `a-b` and `a/b` apart.
fn file_id(path: &str) -> String {
    let digest = sha256(path.as_bytes());
    format!("SPDXRef-File-{}", digest.get(..16).unwrap_or_default())
}

/// Letters, digits, dots and dashes are what an identifier may have (section 7.2).
fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    text.chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect()
}

/// Licences that SPDX has no name for.
#[derive(Default)]
struct Licenses(BTreeMap<String, String>);

impl Licenses {
    /// The SPDX expression of a short name.
    fn of(&mut self, name: &str) -> String {
        let choices = name.split(" or ").map(|choice| {
            let known = LICENSES.iter().find(|(known, _)| *known == choice);
            known.map(|(_, expression)| *expression)
        });
        if let Some(choices) = choices.collect::<Option<Vec<_>>>() {
            return choices.join(" OR ");
        }
        let id = format!("LicenseRef-{}", plain(name));
        self.0.insert(id.clone(), name.to_owned());
        id
    }

    fn extracted(&self) -> Vec<Value> {
        let named = self.0.iter().map(|(id, name)| {
            let text = format!(
                "'{name}': its text is in the copyright files below /usr/share/preflight/licenses, or the module \
                 says no more"
            );
            json!({"licenseId": id, "name": name, "extractedText": text})
        });
        named.collect()
    }
}

/// Seconds since 1970 as `2023-11-14T22:13:20Z`. The calendar repeats itself every 400 years, which begin in March
/// for the leap day to be the last one.
fn date(seconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = days / 146_097 * 400 + year_of_era + u32::from(month <= 2);
    let day = day - (153 * from_march + 2) / 5 + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        let dates = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (u32::MAX, "2106-02-07T06:28:15Z"),
        ];
        for (seconds, text) in dates {
            assert_eq!(date(seconds), text);
        }
    }

    #[test]
    fn a_licence_without_a_name_in_spdx_is_explained() {
        let mut licenses = Licenses::default();
        assert_eq!(licenses.of("GPL-2+"), "GPL-2.0-or-later");
        assert_eq!(
            licenses.of("BSD-3-clause or GPL-2"),
            "BSD-3-Clause OR GPL-2.0-only"
        );
        assert_eq!(licenses.of("Dual BSD/GPL"), "LicenseRef-Dual-BSD-GPL");
        assert_eq!(licenses.extracted().len(), 1);
    }
}
