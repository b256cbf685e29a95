use std::fs;
use std::path::Path;

use super::*;
use crate::modules::testing::module;

fn add(root: &Path, path: &str, entries: &[&str]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, module(entries)).unwrap();
}

fn open(root: &Path, release: Option<&str>) -> Result<Kernel, KernelError> {
    Kernel::open(Tree::open(root).unwrap(), release)
}

#[test]
fn several_releases_need_a_choice() {
    let root = tempfile::tempdir().unwrap();
    add(root.path(), "usr/lib/modules/6.1.0/kernel/fs/ext4.ko", &[]);
    add(root.path(), "usr/lib/modules/6.8.0/kernel/fs/ext4.ko", &[]);
    let error = open(root.path(), None).err().unwrap().to_string();
    assert!(error.contains("--release: 6.1.0 6.8.0"), "{error}");
    let error = open(root.path(), Some("5")).err().unwrap().to_string();
    assert!(error.contains("it has: 6.1.0 6.8.0"), "{error}");
    assert_eq!(open(root.path(), Some("6.8.0")).unwrap().release(), "6.8.0");
}

#[test]
fn a_replacement_outside_the_kernel_folder_wins() {
    let root = tempfile::tempdir().unwrap();
    add(root.path(), "lib/modules/6.1.0/kernel/drivers/nvme.ko", &[]);
    add(root.path(), "lib/modules/6.1.0/extra/nvme.ko", &[]);
    let kernel = open(root.path(), None).unwrap();
    assert_eq!(kernel.path(&ModuleName::new("nvme")), Some("extra/nvme.ko"));
}

#[test]
fn modules_from_outside_replace_the_kernels_own_when_they_are_for_this_release() {
    let root = tempfile::tempdir().unwrap();
    add(root.path(), "lib/modules/6.1.0/kernel/drivers/nvme.ko", &[]);
    let mut kernel = open(root.path(), None).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let error = kernel.add_modules(outside.path()).unwrap_err().to_string();
    assert!(error.contains("no kernel modules"), "{error}");
    let built_for = |release: &str| format!("vermagic={release} SMP mod_unload ");
    add(
        outside.path(),
        "nvme.ko",
        &[&built_for("6.1.0"), "alias=new"],
    );
    kernel.add_modules(outside.path()).unwrap();
    let nvme = ModuleName::new("nvme");
    assert_eq!(kernel.path(&nvme), Some("updates/nvme.ko"));
    assert_eq!(kernel.serving("new").unwrap(), [nvme]);
    add(outside.path(), "zfs.ko", &[&built_for("6.1.1")]);
    let error = kernel.add_modules(outside.path()).unwrap_err().to_string();
    assert!(
        error.contains("zfs.ko was built for kernel 6.1.1"),
        "{error}"
    );
}

#[test]
fn an_alias_leads_to_its_modules() {
    let root = tempfile::tempdir().unwrap();
    let folder = "lib/modules/6.1.0/kernel/crypto";
    add(
        root.path(),
        &format!("{folder}/crc32c_generic.ko"),
        &["alias=crc32c"],
    );
    add(
        root.path(),
        &format!("{folder}/crc32c-intel.ko"),
        &["alias=crc32c"],
    );
    add(root.path(), &format!("{folder}/xts.ko"), &["alias=xts"]);
    let kernel = open(root.path(), None).unwrap();
    let names = kernel.serving("crc32c").unwrap();
    let names: Vec<_> = names.iter().map(ModuleName::as_str).collect();
    assert_eq!(names, ["crc32c_generic", "crc32c_intel"]);
}
