//! Kernels from where people have them: the machine that builds, and Proxmox's packages.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{Unpacked, built, deb, module, static_program};
use image_builder::initramfs::Recipe;
use image_builder::modules::HostKernel;
use tempfile::TempDir;

const RELEASE: &str = "6.8.12-9-pve";
const PACKAGE: &str = "proxmox-kernel-6.8.12-9-pve-signed";
const LIST: &str = "[disks]\nahci\n[file systems]\nzfs\n";

/// The files of a Proxmox kernel package as it has them: ZFS in a folder of its own beside the kernel's modules.
/// `packed` is the ending of compressed modules.
fn files(modules: &str, packed: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{modules}/{RELEASE}");
    let stored = |entries: &[&str]| {
        let plain = module(entries);
        match packed {
            ".zst" => zstd::encode_all(plain.as_slice(), 1).unwrap(),
            _ => plain,
        }
    };
    let mut changelog = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    changelog
        .write_all(b"proxmox-kernel-6.8 (6.8.12-9) bookworm; urgency=medium\n")
        .unwrap();
    let doc = format!("usr/share/doc/{PACKAGE}");
    vec![
        (format!("boot/vmlinuz-{RELEASE}"), b"kernel".to_vec()),
        (
            format!("{folder}/kernel/drivers/ata/ahci.ko{packed}"),
            stored(&["depends=libata", "license=GPL"]),
        ),
        (
            format!("{folder}/kernel/drivers/ata/libata.ko{packed}"),
            stored(&["depends=", "license=GPL"]),
        ),
        (
            format!("{folder}/zfs/spl.ko{packed}"),
            stored(&["depends=", "license=GPL"]),
        ),
        (
            format!("{folder}/zfs/zfs.ko{packed}"),
            stored(&["depends=spl", "license=CDDL"]),
        ),
        (
            format!("{folder}/modules.builtin"),
            b"kernel/drivers/input/serio/serio.ko\n".to_vec(),
        ),
        (
            format!("{folder}/modules.order"),
            b"kernel/drivers/ata/libata.ko\n".to_vec(),
        ),
        (
            format!("{doc}/copyright"),
            b"Format: 1.0\n\nFiles: *\nLicense: GPL-2\n".to_vec(),
        ),
        (
            format!("{doc}/changelog.Debian.gz"),
            changelog.finish().unwrap(),
        ),
    ]
}

fn recipe(folder: &Path, kernel: &Path) -> Recipe {
    let init = folder.join("preflight");
    fs::write(&init, static_program()).unwrap();
    let mut recipe = Recipe::new(kernel, init);
    recipe.module_list = LIST.to_owned();
    recipe
}

/// Of each module of an image: its name, its package, its licence, as the manifest has them.
fn module_lines(manifest: &Unpacked) -> Vec<[String; 3]> {
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.content).unwrap();
    let files = manifest["files"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let lines = files.filter_map(|file| {
        let path = file["path"].as_str()?;
        let name = path.rsplit('/').next()?.strip_suffix(".ko")?;
        Some([
            name.to_owned(),
            text(&file["package"]),
            text(&file["license"]),
        ])
    });
    lines.collect()
}

fn expected() -> Vec<[String; 3]> {
    let line = |name: &str, license: &str| [name, PACKAGE, license].map(str::to_owned);
    vec![
        line("ahci", "GPL"),
        line("libata", "GPL"),
        line("spl", "GPL"),
        line("zfs", "CDDL"),
    ]
}

#[test]
fn a_proxmox_kernel_package_brings_zfs_however_it_stores_modules() {
    for (modules, packed) in [
        ("lib/modules", ""),
        ("lib/modules", ".zst"),
        ("usr/lib/modules", ".zst"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let package = deb(
            folder.path(),
            &format!("{PACKAGE}_6.8.12-9_amd64"),
            &files(modules, packed),
        );
        let mut recipe = recipe(folder.path(), &package);
        recipe.kernel_output = Some(folder.path().join("vmlinuz"));
        let entries = built(&recipe);
        assert_eq!(fs::read(folder.path().join("vmlinuz")).unwrap(), b"kernel");
        for path in ["zfs/zfs.ko", "zfs/spl.ko", "kernel/drivers/ata/ahci.ko"] {
            let file = &entries[&format!("lib/modules/{RELEASE}/{path}")];
            assert!(
                file.content.starts_with(b"\x7fELF"),
                "{path} is carried plain"
            );
        }
        let manifest = &entries["usr/share/preflight/manifest.json"];
        assert_eq!(module_lines(manifest), expected(), "{modules} {packed}");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.content).unwrap();
        assert_eq!(
            manifest["packages"][PACKAGE]["source"],
            "proxmox-kernel-6.8 6.8.12-9"
        );
        assert!(entries.contains_key(&format!("usr/share/preflight/licenses/{PACKAGE}")));
    }
}

/// The root folder of a Proxmox machine that runs a kernel, and has the package of another one.
fn machine() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &[u8]| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let files = files("usr/lib/modules", ".zst");
    files
        .iter()
        .for_each(|(path, content)| write(path, content));
    std::os::unix::fs::symlink("usr/lib", root.path().join("lib")).unwrap();
    let owned: Vec<String> = files
        .iter()
        .map(|(path, _)| format!("/{}\n", path.trim_start_matches("usr/")))
        .collect();
    write(
        &format!("var/lib/dpkg/info/{PACKAGE}.list"),
        owned.concat().as_bytes(),
    );
    write(
        "usr/share/doc/other/copyright",
        b"Says nothing of the kernel.\n",
    );
    write(
        "usr/lib/modules/6.5.13-1-pve/kernel/fs/ext4.ko",
        &module(&["depends="]),
    );
    write("etc/os-release", b"ID=debian\n");
    write(
        "proc/sys/kernel/osrelease",
        format!("{RELEASE}\n").as_bytes(),
    );
    root
}

#[test]
fn the_kernel_that_a_machine_runs_comes_with_its_zfs_and_with_its_packages_licence() {
    let machine = machine();
    let host = HostKernel::find(machine.path(), None).unwrap();
    assert_eq!(host.release, RELEASE);
    let mut recipe = recipe(machine.path(), &host.root);
    recipe.release = Some(host.release);
    let entries = built(&recipe);
    let manifest = &entries["usr/share/preflight/manifest.json"];
    assert_eq!(module_lines(manifest), expected());
    let said: serde_json::Value = serde_json::from_slice(&manifest.content).unwrap();
    assert_eq!(said["kernel_image"]["package"], PACKAGE);
    let licenses: Vec<_> = entries
        .keys()
        .filter_map(|path| path.strip_prefix("usr/share/preflight/licenses/"))
        .collect();
    assert_eq!(
        licenses,
        [PACKAGE],
        "no other package of the machine is told about"
    );
}

#[test]
fn the_image_of_a_machines_kernel_is_from_the_package_that_dpkg_says_owns_it() {
    let machine = machine();
    let root = machine.path();
    let owned = format!("/boot/vmlinuz-{RELEASE}\n");
    fs::write(root.join("var/lib/dpkg/info/image-alone.list"), owned).unwrap();
    let list = root.join(format!("var/lib/dpkg/info/{PACKAGE}.list"));
    let others = fs::read_to_string(&list).unwrap();
    let others: String = others
        .split_inclusive('\n')
        .filter(|line| !line.contains("vmlinuz"))
        .collect();
    fs::write(list, others).unwrap();
    let doc = root.join("usr/share/doc/image-alone");
    fs::create_dir_all(&doc).unwrap();
    fs::write(
        doc.join("copyright"),
        "Format: 1.0\n\nFiles: *\nLicense: GPL-2\n",
    )
    .unwrap();
    let mut recipe = recipe(root, root);
    recipe.release = Some(RELEASE.to_owned());
    let entries = built(&recipe);
    let manifest = &entries["usr/share/preflight/manifest.json"];
    assert_eq!(module_lines(manifest), expected());
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.content).unwrap();
    assert_eq!(manifest["kernel_image"]["package"], "image-alone");
    assert_eq!(manifest["packages"]["image-alone"]["licenses"][0], "GPL-2");
    assert!(entries.contains_key("usr/share/preflight/licenses/image-alone"));
}

#[test]
fn what_a_machine_lacks_of_its_kernel_is_said_with_what_to_do() {
    type Change = fn(&Path);
    let image = "boot/vmlinuz-6.8.12-9-pve";
    let cases: [(Change, Option<&str>, &[&str]); 6] = [
        (
            |root| fs::remove_file(root.join("proc/sys/kernel/osrelease")).unwrap(),
            None,
            &["which kernel", "--release"],
        ),
        (
            |root| fs::remove_dir_all(root.join("usr/lib/modules/6.8.12-9-pve")).unwrap(),
            None,
            &[
                "no modules of kernel 6.8.12-9-pve",
                "restart",
                "lib/modules/6.8.12-9-pve",
                "FILE.deb",
            ],
        ),
        (
            |root| fs::remove_file(root.join("boot/vmlinuz-6.8.12-9-pve")).unwrap(),
            None,
            &["not the kernel itself", image],
        ),
        (
            |_| {},
            Some("6.5.13-1-pve"),
            &["not the kernel itself", "boot/vmlinuz-6.5.13-1-pve"],
        ),
        (
            |root| {
                fs::remove_dir_all(root.join("usr/lib/modules/6.8.12-9-pve")).unwrap();
                fs::write(root.join("usr/lib/modules/6.8.12-9-pve"), "no folder").unwrap();
            },
            None,
            &["cannot read", "lib/modules/6.8.12-9-pve", "as root"],
        ),
        (
            |root| {
                fs::remove_file(root.join("boot/vmlinuz-6.8.12-9-pve")).unwrap();
                fs::create_dir(root.join("boot/vmlinuz-6.8.12-9-pve")).unwrap();
            },
            None,
            &["cannot read", image, "as root"],
        ),
    ];
    for (change, release, words) in cases {
        let machine = machine();
        change(machine.path());
        let error = HostKernel::find(machine.path(), release)
            .unwrap_err()
            .to_string();
        for word in words {
            assert!(error.contains(word), "'{word}' is missing in: {error}");
        }
    }
}
