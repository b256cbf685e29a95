//! What is in an image, seen by unpacking it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::Path;

use common::{RELEASE, Sample, Unpacked, built};
use image_builder::initramfs::{self, Binary};

const LIST: &str = "[disks]\nahci\n[file systems]\next4\nserio\nvmd?\n";

fn text(entry: &Unpacked) -> &str {
    std::str::from_utf8(&entry.content).unwrap()
}

#[test]
fn devices_folders_and_init_are_there_with_their_modes() {
    let entries = built(&Sample::new().recipe(LIST));
    let header = |path: &str| {
        &entries
            .get(path)
            .unwrap_or_else(|| panic!("no {path}"))
            .header
    };
    for (path, major, minor) in [
        ("dev/console", 5, 1),
        ("dev/null", 1, 3),
        ("dev/kmsg", 1, 11),
    ] {
        assert_eq!(header(path).mode(), 0o020600, "{path}");
        assert_eq!(
            (header(path).rdev_major(), header(path).rdev_minor()),
            (major, minor)
        );
    }
    assert_eq!(header("init").mode(), 0o100755);
    assert_eq!(header("tmp").mode(), 0o041777);
    for path in [
        "dev",
        "proc",
        "sys",
        "run",
        "etc",
        "bin",
        "mnt",
        "usr/share/preflight",
    ] {
        assert_eq!(header(path).mode() & 0o170000, 0o040000, "{path}");
    }
    for (path, entry) in &entries {
        let header = &entry.header;
        assert_eq!(
            (header.uid(), header.gid(), header.mtime()),
            (0, 0, 0),
            "{path}"
        );
    }
}

#[test]
fn the_carried_modules_are_closed_and_indexed() {
    let entries = built(&Sample::new().recipe(LIST));
    let folder = format!("lib/modules/{RELEASE}");
    let modules: Vec<_> = entries
        .keys()
        .filter_map(|path| path.strip_prefix(&format!("{folder}/kernel/")))
        .filter(|path| path.ends_with(".ko"))
        .collect();
    assert_eq!(
        modules,
        [
            "crypto/crc32c_generic.ko",
            "drivers/ata/ahci.ko",
            "drivers/ata/libata.ko",
            "fs/ext4/ext4.ko",
            "fs/jbd2/jbd2.ko",
            "fs/mbcache.ko"
        ]
    );
    let index = |name: &str| text(entries.get(&format!("{folder}/{name}")).unwrap());
    let dep = index("modules.dep");
    assert!(
        dep.contains("kernel/drivers/ata/ahci.ko: kernel/drivers/ata/libata.ko\n"),
        "{dep}"
    );
    assert!(dep.contains("kernel/fs/mbcache.ko:\n"), "{dep}");
    assert!(index("modules.alias").contains("alias fs-ext4 ext4\n"));
    assert_eq!(index("modules.softdep"), "softdep jbd2 pre: crc32c\n");
    assert_eq!(index("modules.weakdep"), "weakdep ext4 lz4\n");
    assert!(index("modules.builtin").contains("serio.ko"));
    assert!(index("modules.order").starts_with("kernel/fs/mbcache.ko\n"));
}

#[test]
fn compressed_modules_are_carried_plain() {
    let sample = Sample::new();
    let plain = common::module(&["alias=pci:v00008086d*", "depends="]);
    let compressed = zstd::encode_all(plain.as_slice(), 3).unwrap();
    sample.write("kernel/drivers/nvme/nvme.ko.zst", compressed);
    let entries = built(&sample.recipe("[disks]\ndrivers/nvme/*\n"));
    let path = format!("lib/modules/{RELEASE}/kernel/drivers/nvme/nvme.ko");
    assert!(entries.get(&path).unwrap().content == plain);
}

#[test]
fn device_names_are_carried_and_the_manifest_tells_why() {
    let sample = Sample::new();
    let names = sample.root().join("pci.ids");
    fs::write(&names, "8086  Intel Corporation\n").unwrap();
    let mut recipe = sample.recipe(LIST);
    recipe.pci_ids = Some(names);
    let entries = built(&recipe);
    let names = entries.get("usr/share/preflight/pci.ids").unwrap();
    assert_eq!(text(names), "8086  Intel Corporation\n");

    let manifest = entries.get("usr/share/preflight/manifest.json").unwrap();
    let manifest: serde_json::Value = serde_json::from_str(text(manifest)).unwrap();
    assert_eq!(manifest["schema"], "preflight.manifest/1");
    assert_eq!(manifest["kernel"], RELEASE);
    let modules = manifest["modules"].as_array().unwrap();
    let libata = modules
        .iter()
        .find(|module| module["name"] == "libata")
        .unwrap();
    assert_eq!(libata["because"], "needed by ahci");
    let files = manifest["files"].as_array().unwrap();
    let init = files.iter().find(|file| file["path"] == "/init").unwrap();
    assert_eq!(init["reason"], "preflight");
}

#[test]
fn a_dynamic_program_brings_its_loader_and_libraries() {
    let sample = Sample::new();
    let mut recipe = sample.recipe(LIST);
    recipe.binaries = vec![Binary {
        path: "/bin/sh".to_owned(),
        destination: Some("/bin/shell".to_owned()),
    }];
    let entries = built(&recipe);
    assert_eq!(entries.get("bin/shell").unwrap().header.mode(), 0o100755);
    for library in ["libc.so.6", "ld-linux-x86-64.so.2"] {
        let path = entries.keys().find(|path| path.ends_with(library));
        let mut path = path.unwrap_or_else(|| panic!("no {library}")).clone();
        // Each link on the way must lead to something that is in the image too.
        while entries.get(&path).unwrap().header.mode() & 0o170000 == 0o120000 {
            let target = text(entries.get(&path).unwrap());
            let folder = Path::new("/").join(&path);
            let next = folder.parent().unwrap().join(target);
            path = next.to_str().unwrap().trim_start_matches('/').to_owned();
            assert!(entries.contains_key(&path), "{library} leads to {path}");
        }
    }
}

#[test]
fn a_tool_is_always_in_bin_and_brings_its_modules() {
    let sample = Sample::new();
    sample.add("fs/btrfs/btrfs.ko", &["depends="]);
    let system = tempfile::tempdir().unwrap();
    fs::create_dir_all(system.path().join("usr/sbin")).unwrap();
    fs::write(
        system.path().join("usr/sbin/btrfs"),
        common::static_program(),
    )
    .unwrap();
    let mut recipe = sample.recipe(LIST);
    recipe.system = system.path().to_owned();
    recipe.tools = vec!["btrfs".to_owned()];
    let entries = built(&recipe);
    assert_eq!(text(entries.get("bin/btrfs").unwrap()), "/usr/sbin/btrfs");
    assert!(entries.contains_key("usr/sbin/btrfs"));
    assert!(entries.keys().any(|path| path.ends_with("/btrfs.ko")));
}

#[test]
fn the_kernel_beside_an_image_comes_after_it_and_into_folders_that_are_made() {
    let sample = Sample::new();
    let folder = tempfile::tempdir().unwrap();
    let kernel = folder.path().join("new/vmlinuz");
    let mut recipe = sample.recipe(LIST);
    recipe.kernel_output = Some(kernel.clone());
    // What is a folder cannot become the image: then there is no kernel either.
    initramfs::build(&recipe, folder.path(), &|_| {}).unwrap_err();
    assert!(!kernel.exists());
    initramfs::build(&recipe, &folder.path().join("initramfs"), &|_| {}).unwrap();
    assert_eq!(fs::read(kernel).unwrap(), b"kernel");
}
