//! Images that must not come into being, and what the person is told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::fs;

use common::{Sample, refusal};
use image_builder::modules::ModuleName;

#[test]
fn a_graphics_driver_is_refused_with_the_chain_that_leads_to_it() {
    let error = refusal(&Sample::new().recipe("[input]\ndrivers/hid/*\n"));
    let chain = "kernel/drivers/hid/* -> helper -> drm (graphics drivers)";
    assert!(error.contains(chain), "{error}");
    let error = refusal(&Sample::new().recipe("[input]\nhid-picolcd\n"));
    assert!(error.contains("hid_picolcd -> helper -> drm"), "{error}");
}

#[test]
fn a_soft_dependency_does_not_smuggle_one_in() {
    let sample = Sample::new();
    sample.add("drivers/misc/polite.ko", &["depends=", "softdep=post: drm"]);
    let error = refusal(&sample.recipe("[x]\npolite\n"));
    assert!(error.contains("polite (softly) -> drm"), "{error}");
}

#[test]
fn an_optional_module_that_leads_to_one_is_left_out_and_named() {
    let sample = Sample::new();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("initramfs");
    let recipe = sample.recipe("[input]\nahci\nhid_picolcd?\n");
    let built = image_builder::initramfs::build(&recipe, &output, &|_| {}).unwrap();
    assert_eq!(
        built.left_out,
        ["hid_picolcd -> helper -> drm (graphics drivers)"]
    );
    let names: Vec<_> = common::unpack(&output)
        .iter()
        .filter_map(|entry| ModuleName::from_path(entry.header.name()))
        .collect();
    assert_eq!(names, [ModuleName::new("ahci"), ModuleName::new("libata")]);
}

#[test]
fn a_driver_for_display_controllers_is_refused_wherever_it_lies() {
    let sample = Sample::new();
    let modinfo = ["depends=", "alias=pci:v000010DEd*sv*sd*bc03sc00i00*"];
    sample.write("extra/other.ko", common::module(&modinfo));
    let error = refusal(&sample.recipe("[x]\nother\n"));
    assert!(error.contains("display controllers"), "{error}");
}

#[test]
fn all_entries_that_match_nothing_are_named_at_once() {
    let list = "[disks]\nahci\nmegaraid_sas\n[file systems]\ndrivers/nothing/*\nzfs?\n";
    let error = refusal(&Sample::new().recipe(list));
    assert!(error.contains("megaraid_sas (group disks)"), "{error}");
    assert!(
        error.contains("kernel/drivers/nothing/* (group file systems)"),
        "{error}"
    );
    assert!(!error.contains("zfs"), "{error}");
}

#[test]
fn a_missing_dependency_is_named_with_its_chain() {
    let sample = Sample::new();
    sample.add("drivers/x/split.ko", &["depends=elsewhere"]);
    let error = refusal(&sample.recipe("[x]\nsplit\n"));
    assert!(error.contains("split -> elsewhere"), "{error}");
}

#[test]
fn an_init_with_a_loader_is_refused_and_the_usual_cause_named() {
    let mut recipe = Sample::new().recipe("[x]\n");
    recipe.init = "/bin/sh".into();
    let sample = Sample::new();
    recipe.kernel = sample.root().to_owned();
    let error = refusal(&recipe);
    assert!(error.contains("RUSTFLAGS"), "{error}");
    assert!(error.contains("ld-linux"), "{error}");
}

#[test]
fn a_missing_library_is_named_with_the_file_that_needs_it() {
    let sample = Sample::new();
    let system = tempfile::tempdir().unwrap();
    fs::create_dir(system.path().join("bin")).unwrap();
    fs::create_dir(system.path().join("lib64")).unwrap();
    fs::copy("/bin/sh", system.path().join("bin/sh")).unwrap();
    fs::write(system.path().join("lib64/ld-linux-x86-64.so.2"), "").unwrap();
    let mut recipe = sample.recipe("[x]\n");
    recipe.system = system.path().to_owned();
    recipe.binaries = vec![image_builder::initramfs::Binary {
        path: "/bin/sh".to_owned(),
        destination: None,
    }];
    let error = refusal(&recipe);
    assert!(error.contains("/bin/sh needs libc.so.6"), "{error}");
}
