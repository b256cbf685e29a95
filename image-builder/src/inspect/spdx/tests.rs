use std::io::Write;

use super::super::stored::MEDIUM;
use super::*;
use crate::inspect::initramfs::LICENSES;

/// An archive without packing.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, content) in files {
        let builder = cpio::newc::Builder::new(path).mode(0o100_755);
        let mut writer = builder.write(&mut bytes, u32::try_from(content.len()).unwrap());
        writer.write_all(content).unwrap();
        writer.finish().unwrap();
    }
    cpio::newc::trailer(&mut bytes).unwrap();
    bytes
}

/// An image whose manifest says that two programs are of lvm2, which has no changelog, and more files.
fn image(more: &[(&str, &[u8])]) -> Vec<u8> {
    let line = |name: &str| {
        json!({
            "path": format!("/usr/sbin/{name}"), "bytes": name.len(), "sha256": sha256(name.as_bytes()),
            "reason": "tools", "package": "lvm2", "license": "GPL-2",
        })
    };
    let manifest = json!({
        "packages": {"lvm2": {"source": null, "licenses": []}},
        "files": [line("lvm"), line("dmsetup")],
    });
    let manifest = manifest.to_string();
    let own: [(&str, &[u8]); 3] = [
        ("usr/sbin/lvm", b"lvm"),
        ("usr/sbin/dmsetup", b"dmsetup"),
        (MANIFEST, manifest.as_bytes()),
    ];
    archive(&[&own, more].concat())
}

/// The files that are said to be from a package, by name.
fn from_packages(bill: &Value) -> Vec<&str> {
    let lines = bill["relationships"].as_array().unwrap().iter();
    let of_packages = lines.filter(|line| line["relationshipType"] == "GENERATED_FROM");
    let files = bill["files"].as_array().unwrap();
    let named = of_packages.map(|line| {
        let is_it = |file: &&Value| file["SPDXID"] == line["spdxElementId"];
        files.iter().find(is_it).unwrap()["fileName"]
            .as_str()
            .unwrap()
    });
    named.collect()
}

#[test]
fn a_file_that_was_replaced_is_of_no_package_and_says_so() {
    let whole = of_initramfs(&image(&[])).unwrap();
    assert_eq!(
        from_packages(&whole),
        ["./usr/sbin/dmsetup", "./usr/sbin/lvm"]
    );
    let comments = |bill: &Value| {
        let files = bill["files"].as_array().unwrap().iter();
        let comments = files.filter_map(|file| Some(file.get("comment")?.as_str()?.to_owned()));
        comments.collect::<Vec<_>>()
    };
    assert_eq!(comments(&whole), Vec::<String>::new());

    for replaced in [&b"bad"[..], b"of another length"] {
        let segment = archive(&[("usr/sbin/lvm", replaced), ("usr/sbin/new", b"")]);
        let bill = of_initramfs(&[image(&[]), segment].concat()).unwrap();
        assert_eq!(from_packages(&bill), ["./usr/sbin/dmsetup"]);
        assert_eq!(comments(&bill), [OTHER_CONTENT, NOT_LISTED]);
        let files = bill["files"].as_array().unwrap();
        let lvm = files
            .iter()
            .find(|file| file["fileName"] == "./usr/sbin/lvm");
        assert_eq!(lvm.unwrap()["licenseInfoInFiles"][0], UNKNOWN);
    }
}

#[test]
fn a_package_that_was_not_analyzed_contains_no_file_and_names_no_supplier() {
    let bill = of_initramfs(&image(&[])).unwrap();
    let packages = bill["packages"].as_array().unwrap();
    assert!(
        packages.iter().all(|package| {
            package["filesAnalyzed"] == false && package.get("supplier").is_none()
        })
    );
    for line in bill["relationships"].as_array().unwrap() {
        let is_from = |package: &Value| package["SPDXID"] == line["spdxElementId"];
        assert!(!packages.iter().any(is_from), "{line}");
    }
}

#[test]
fn a_package_says_of_its_version_and_copyright_file_what_is_known_alone() {
    let bill = of_initramfs(&image(&[])).unwrap();
    let package = bill["packages"][0].as_object().unwrap();
    for key in ["versionInfo", "sourceInfo", "licenseComments"] {
        assert!(!package.contains_key(key), "{key}");
    }
    let text = format!("{LICENSES}lvm2");
    let bill = of_initramfs(&image(&[(&text, b"free")])).unwrap();
    assert_eq!(
        bill["packages"][0]["licenseComments"],
        "Its copyright file is ./usr/share/preflight/licenses/lvm2"
    );
}

/// A medium with these files, and which of them were read.
fn of_files(files: &[(&str, u64, &[u8])]) -> (Result<Value, SpdxError>, Vec<usize>) {
    let read = std::cell::RefCell::new(Vec::new());
    let listed = files
        .iter()
        .map(|(path, bytes, _)| ((*path).to_owned(), *bytes));
    let medium = MediumFiles {
        layout: MEDIUM,
        files: listed.collect(),
        read: Box::new(|number| {
            read.borrow_mut().push(number);
            Some(files.get(number)?.2.to_vec())
        }),
    };
    let bill = of_medium(&medium, 1 << 30);
    drop(medium);
    (bill, read.into_inner())
}

#[test]
fn of_a_medium_without_a_manifest_no_file_is_read() {
    let (bill, read) = of_files(&[("a", 1 << 29, b""), ("b", 1, b"b")]);
    assert!(matches!(bill, Err(SpdxError::NoManifest)));
    assert_eq!(read, Vec::<usize>::new());
    // Nor a manifest that is larger than any.
    let (bill, read) = of_files(&[(medium::MANIFEST, 1 << 29, b"{}")]);
    assert!(matches!(bill, Err(SpdxError::NoManifest)));
    assert_eq!(read, Vec::<usize>::new());
}

#[test]
fn a_file_that_is_too_large_for_a_medium_ends_its_bill_of_materials() {
    let manifest = json!({"packages": {"shim": {"source": null, "licenses": []}}, "files": []});
    let manifest = manifest.to_string();
    let own = (medium::MANIFEST, manifest.len() as u64, manifest.as_bytes());
    assert!(of_files(&[own, ("small", 1, b"s")]).0.is_ok());
    let (bill, read) = of_files(&[own, ("large", (512 << 20) + 1, b"")]);
    assert!(matches!(bill, Err(SpdxError::Damaged(why)) if why.contains("large cannot be read")));
    assert_eq!(read, [0, 0], "its manifest alone, and that as a file too");
    // Files in one place are together more than the medium has.
    let twice = [own, ("x", 512 << 20, b"x"), ("y", 512 << 20, b"y")];
    assert!(matches!(of_files(&twice).0, Err(SpdxError::Damaged(_))));
}

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
