//! What a person asks for on the command line besides what every image has: it is there, or there is no image.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::Sample;
use image_builder::inspect::{Content, inspect};

/// A kernel package, a list of two modules, a system with one program, a tool of Debian's without its kernel modules.
struct Place {
    sample: Sample,
}

impl Place {
    fn new() -> Self {
        let sample = Sample::new();
        let system = sample.root().join("system");
        for program in [
            "usr/bin/tool",
            "usr/sbin/zpool",
            "usr/sbin/zfs",
            "usr/sbin/mount.zfs",
        ] {
            let path = system.join(program);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, common::static_program()).unwrap();
        }
        fs::write(
            sample.root().join("modules.list"),
            "[disks]\nlibata\n!mbcache\n",
        )
        .unwrap();
        fs::write(sample.root().join("pci.ids"), "8086  Intel Corporation\n").unwrap();
        Self { sample }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.sample.root().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_image-builder"));
        command
            .arg("initramfs")
            .arg("--kernel")
            .arg(self.sample.root())
            .arg("--init")
            .arg(self.sample.init());
        command
            .arg("--modules-list")
            .arg(self.path("modules.list"))
            .arg("--pci-ids")
            .arg(self.path("pci.ids"));
        command
            .arg("--system")
            .arg(self.path("system"))
            .arg("--output")
            .arg(self.path("image"));
        command
    }

    fn build(&self, words: &[&str]) -> Output {
        let mut command = self.command();
        // The kernel has none of the modules of the tools that are carried unasked.
        if !words.contains(&"--with") {
            command.args(["--with", "none"]);
        }
        command.args(words).output().unwrap()
    }
}

#[test]
fn what_is_told_of_an_image_for_programs_is_in_it() {
    let place = Place::new();
    let said = place.build(&["--format", "json"]);
    assert!(said.status.success(), "{said:?}");
    let told: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(told["schema"], "preflight.image/1");
    let seen = inspect(&place.path("image")).unwrap();
    let Content::Initramfs(image) = seen.content else {
        panic!("it is an initramfs");
    };
    assert_eq!(told["bytes"], seen.bytes);
    assert_eq!(told["kernel"], image.releases[0].release);
    assert_eq!(told["modules"], image.modules.len());
    assert_eq!(image.modules.len(), 1);
    let sizes = told["sizes"].as_array().unwrap().iter();
    let sizes: BTreeMap<&str, u64> = sizes
        .map(|size| {
            (
                size["reason"].as_str().unwrap(),
                size["bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    let seen = image.sizes.iter();
    let seen: BTreeMap<&str, u64> = seen
        .map(|size| (size.purpose.as_str(), size.bytes))
        .collect();
    assert_eq!(sizes, seen);
}

#[test]
fn what_is_wished_for_is_in_the_image() {
    let modules = "lib/modules/6.1.0-test/kernel";
    let cases: [(&[&str], &[String]); 10] = [
        (
            &["--add-modules", "ahci"],
            &[format!("{modules}/drivers/ata/ahci.ko")],
        ),
        (
            &["--add-modules", "drivers/ata/*", "fs/**"],
            &[
                format!("{modules}/drivers/ata/ahci.ko"),
                format!("{modules}/fs/jbd2/jbd2.ko"),
            ],
        ),
        // What the list keeps out, a person may want.
        (
            &["--add-modules", "fs/mb*"],
            &[format!("{modules}/fs/mbcache.ko")],
        ),
        // Compiled in is there, too.
        (&["--add-modules", "serio"], &[]),
        (&["--add-modules", "absent?"], &[]),
        (
            &["--add-binary", "/usr/bin/tool"],
            &["usr/bin/tool".to_owned()],
        ),
        (
            &["--add-binary", "/usr/bin/tool:/bin/own-name"],
            &["bin/own-name".to_owned()],
        ),
        (&["--with", "zfs?"], &[]),
        (&["--with", ""], &[]),
        (
            &["--add-modules", "ext4", "--add-binary", "/usr/bin/tool"],
            &[format!("{modules}/fs/ext4/ext4.ko")],
        ),
    ];
    for (words, paths) in cases {
        let place = Place::new();
        let built = place.build(words);
        assert!(built.status.success(), "{words:?}: {built:?}");
        let entries = common::unpack(&place.path("image"));
        let names: Vec<_> = entries.iter().map(|entry| entry.header.name()).collect();
        for path in paths {
            assert!(
                names.contains(&path.as_str()),
                "{words:?}: no {path} in {names:?}"
            );
        }
        assert!(!names.contains(&"usr/sbin/zpool"), "the kernel has no ZFS");
    }
}

#[test]
fn a_tool_that_may_be_left_out_is_carried_where_the_kernel_has_its_modules() {
    let place = Place::new();
    place
        .sample
        .write("zfs/zfs.ko", common::module(&["depends="]));
    let built = place.build(&["--with", "zfs?"]);
    assert!(built.status.success(), "{built:?}");
    let entries = common::unpack(&place.path("image"));
    let names: Vec<_> = entries.iter().map(|entry| entry.header.name()).collect();
    for path in [
        "usr/sbin/zpool",
        "bin/zfs",
        "lib/modules/6.1.0-test/zfs/zfs.ko",
    ] {
        assert!(names.contains(&path), "no {path} in {names:?}");
    }
}

#[test]
fn lvm_btrfs_and_where_the_kernel_has_it_zfs_are_carried_unasked() {
    let place = Place::new();
    for module in [
        "dm_mod",
        "dm_snapshot",
        "dm_thin_pool",
        "dm_mirror",
        "dm_raid",
        "btrfs",
    ] {
        place.sample.add(&format!("{module}.ko"), &["depends="]);
    }
    for program in ["lvm", "dmsetup", "btrfs"] {
        let path = place.path("system/usr/sbin").join(program);
        fs::write(path, common::static_program()).unwrap();
    }
    let built = place.command().output().unwrap();
    assert!(built.status.success(), "{built:?}");
    let entries = common::unpack(&place.path("image"));
    let has = |path: &str| entries.iter().any(|entry| entry.header.name() == path);
    for (path, carried) in [("bin/lvm", true), ("bin/btrfs", true), ("bin/zfs", false)] {
        assert_eq!(has(path), carried, "{path}");
    }
    let said = String::from_utf8(built.stdout).unwrap();
    assert!(
        said.contains("without zfs: this kernel has no zfs"),
        "{said}"
    );
    let built = place.build(&["--with", "zfs?", "--format", "json"]);
    let built: serde_json::Value = serde_json::from_slice(&built.stdout).unwrap();
    assert_eq!(built["tools_left_out"][0]["tool"], "zfs");
}

#[test]
fn a_wish_that_nothing_fulfils_ends_the_build_and_says_which() {
    let cases: [(&[&str], &str); 15] = [
        (
            &["--add-modules", "nothing-such"],
            "nothing_such (group added)",
        ),
        (
            &["--add-modules", "ahci", "drivers/nothing/*"],
            "kernel/drivers/nothing/* (group added)",
        ),
        (&["--add-modules", "ahci,ext4"], "ahci,ext4 (group added)"),
        (
            &["--add-modules", "drm"],
            "an image never carries graphics drivers",
        ),
        (
            &["--add-binary", "/usr/bin/absent"],
            "/system/usr/bin/absent",
        ),
        (&["--add-binary", "/usr/bin"], "/system/usr/bin"),
        (
            &["--add-binary", "/usr/bin/tool:"],
            "behind the colon stands the path",
        ),
        (
            &["--add-binary", "/usr/bin/tool:bin/x"],
            "behind the colon stands the path",
        ),
        (
            &["--add-binary", "/usr/bin/tool:/bin/"],
            "behind the colon stands the path",
        ),
        (
            &["--add-binary", "/usr/bin/tool:/../x"],
            "behind the colon stands the path",
        ),
        (&["--with", "nothing"], "there is no tool 'nothing'"),
        (&["--with", "zfs"], "zfs (group zfs)"),
        (&["--with", "lvm"], "dm_mod (group lvm)"),
        (&["--with", "lvm,none"], "none stands alone"),
        (&["--modules-from", "/nowhere"], "/nowhere"),
    ];
    for (words, said) in cases {
        let place = Place::new();
        let built = place.build(words);
        let error = String::from_utf8(built.stderr).unwrap();
        assert!(!built.status.success(), "{words:?}");
        assert!(error.contains(said), "{words:?}: {error}");
        assert!(!place.path("image").exists(), "{words:?} leaves no image");
    }
}

#[test]
fn an_entry_that_the_list_itself_leaves_nothing_of_ends_the_build() {
    let place = Place::new();
    let list = "[disks]\nlibata\n[file systems]\nfs/mb*\n!mbcache\n";
    fs::write(place.path("modules.list"), list).unwrap();
    let built = place.build(&[]);
    let error = String::from_utf8(built.stderr).unwrap();
    assert!(!built.status.success());
    let said = "keeps out all that kernel 6.1.0-test has";
    assert!(error.contains(said), "{error}");
    assert!(
        error.contains("kernel/fs/mb* (group file systems)"),
        "{error}"
    );
}

/// Runs `netboot`, whose script is text, with these words.
fn script(folder: &Path, options: &[&str]) -> Result<String, String> {
    let mut kernel = vec![0; 0x1000];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    let [kernel_file, initramfs, out] =
        ["kernel", "initramfs", "out"].map(|name| folder.join(name));
    fs::write(&kernel_file, kernel).unwrap();
    fs::write(&initramfs, "070701").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_image-builder"));
    command
        .args(["netboot", "--kernel"])
        .arg(kernel_file)
        .arg("--initramfs")
        .arg(initramfs);
    command.arg("--output").arg(&out);
    for option in options {
        command.args(["--kernel-option", option]);
    }
    let ran = command.output().unwrap();
    match ran.status.success() {
        true => Ok(fs::read_to_string(out.join("preflight.ipxe")).unwrap()),
        false => Err(String::from_utf8(ran.stderr).unwrap()),
    }
}

#[test]
fn kernel_options_stand_in_every_entry_in_their_order_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let kernels = |script: &str| {
        let lines = script
            .lines()
            .filter(|line| line.trim_start().starts_with("kernel "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = kernels(&script(folder.path(), &[]).unwrap());
    let with = kernels(&script(folder.path(), &["console=ttyS1,115200", "-x"]).unwrap());
    assert_eq!((plain.len(), with.len()), (4, 4), "{plain:?}");
    for (plain, with) in plain.iter().zip(&with) {
        assert!(!plain.contains("ttyS1"), "{plain}");
        assert!(with.contains(" console=ttyS1,115200 -x"), "{with}");
    }
    for word in ["two words", "a\nb", "", "${net0/ip}"] {
        let error = script(folder.path(), &[word]).unwrap_err();
        assert!(error.contains("cannot stand in"), "{word:?}: {error}");
    }
}
