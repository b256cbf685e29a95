//! Packages from the mirror of this machine. Needs the network; without it the tests say so and pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;

use image_builder::apt::{self, Request, Suites};
use image_builder::elf::SystemRoot;
use image_builder::licenses::packages;

/// What was fetched, or `None` when the mirror cannot be reached.
fn fetched(request: &Request, into: &Path) -> Option<Vec<String>> {
    let names = |debs: Vec<std::path::PathBuf>| {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        debs.iter().map(|path| name(path)).collect()
    };
    apt::fetch(request, into, |_| {})
        .inspect_err(|error| eprintln!("skipped: {error}"))
        .map(names)
        .ok()
}

#[test]
fn a_package_is_fetched_and_unpacked_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let debs = folder.path().join("debs");
    let Some(names) = fetched(&Request::new(["busybox-static"]), &debs) else {
        return;
    };
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(
        std::fs::read_dir(&debs).unwrap().count(),
        1,
        "apt's own folder is gone"
    );
    let tree = folder.path().join("tree");
    apt::unpack(&[debs.join(names.first().unwrap())], &tree).unwrap();
    let places = ["bin/busybox", "usr/bin/busybox"];
    let place = places
        .iter()
        .find(|place| tree.join(place).is_file())
        .unwrap();
    let root = SystemRoot::new(&tree);
    let found = packages(&root, [format!("/{place}").as_str()]).unwrap();
    assert_eq!(found.texts.keys().collect::<Vec<_>>(), ["busybox-static"]);
    let source = found.packages["busybox-static"].source.as_deref().unwrap();
    assert!(source.starts_with("busybox "), "{source}");
}

#[test]
fn dependencies_come_down_to_the_c_library_from_another_suite() {
    let folder = tempfile::tempdir().unwrap();
    let request = Request::new(["kmod"])
        .from_debian(["stable"])
        .with_dependencies();
    let Some(names) = fetched(&request, folder.path()) else {
        return;
    };
    for package in ["kmod_", "libc6_"] {
        assert!(
            names.iter().any(|name| name.starts_with(package)),
            "no {package} in {names:?}"
        );
    }
}

#[test]
fn a_package_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let request = Request {
        suites: Suites::Machine,
        packages: vec!["no-such-package".to_owned()],
        component: None,
        with_dependencies: true,
        renew: false,
    };
    let error = apt::fetch(&request, folder.path(), |_| {})
        .unwrap_err()
        .to_string();
    if error.contains("update") {
        eprintln!("skipped: {error}");
        return;
    }
    assert!(error.contains("no-such-package"), "{error}");
}
