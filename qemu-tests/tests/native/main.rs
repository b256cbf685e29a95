//! Initrds that Debian's own tools made, with files put behind them, unpacked and run by a real kernel.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image_builder::apt::{self, Request};
use image_builder::cache::Cache;
use image_builder::inspect::{Content, Maker, recognize};
use proxmox::files::MemoryFiles;
use proxmox::initrd::{InitramfsTool, InitrdContent, Unpacking};
use qemu_tests::initramfs::{self, Entry};
use qemu_tests::peers::Peers;
use qemu_tests::{Boot, Deadlines, Images, Machine, Milestone, Qemu, baseline};
use tempfile::TempDir;

const OPTIONS: &str = "# Written by a test.\noptions vfio-pci ids=10de:1b80\n";
const SCRIPT: &str =
    "#!/bin/sh\n[ \"$1\" = prereqs ] && exit 0\necho '<5>preflight-vfio runs' >/dev/kmsg\n";
/// What vfio-pci logs when it is loaded with that option (drivers/vfio/pci/vfio_pci.c, vfio_pci_fill_ids).
const LOADED: &str = "vfio_pci: add [10de:1b80";

struct Lab {
    qemu: Qemu,
    deadlines: Deadlines,
    peers: Peers,
    folder: TempDir,
}

impl Lab {
    /// The lab with Debian's builders; or nothing and the reason printed.
    fn open() -> Option<Self> {
        let opened = || -> Result<Self, String> {
            let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
            let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
            let deadlines = baseline::deadlines(&qemu, &Images::kernel()?, init)
                .map_err(|failure| failure.to_string())?;
            let cache = Cache::open().map_err(|error| error.to_string())?;
            let peers = apt::cached_debs(&cache, &Request::new(["linux-image-amd64"]))
                .map_err(anyhow::Error::from)
                .and_then(|debs| match debs.as_slice() {
                    [kernel] => Peers::prepare(&cache, kernel),
                    other => anyhow::bail!("{} packages of one kernel", other.len()),
                });
            Ok(Self {
                qemu,
                deadlines,
                peers: peers.map_err(|error| format!("{error:#}"))?,
                folder: tempfile::tempdir().map_err(|error| error.to_string())?,
            })
        };
        opened().map_err(|why| qemu_tests::skip(&why)).ok()
    }

    /// What a builder makes; `command` writes to a file inside its root.
    fn made(&self, name: &str, command: fn(&Peers, &str) -> Command) -> Vec<u8> {
        let file = format!("/tmp/{name}-{}.img", std::process::id());
        let output = command(&self.peers, &file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let path = self.peers.root().join(file.trim_start_matches('/'));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        bytes
    }

    fn release(&self) -> String {
        let mut kernels = std::fs::read_dir(self.peers.root().join("lib/modules")).unwrap();
        kernels
            .next()
            .unwrap()
            .unwrap()
            .file_name()
            .into_string()
            .unwrap()
    }

    /// The modules of VFIO, as they lie in the root, and settings as a plan writes them.
    fn root(&self) -> MemoryFiles {
        let release = self.release();
        let folder = self.peers.root().join("lib/modules").join(&release);
        let list = std::fs::read_to_string(folder.join("modules.dep")).unwrap();
        let mut files = MemoryFiles::new()
            .file("etc/modprobe.d/preflight-vfio.conf", OPTIONS)
            .file(
                "etc/initramfs-tools/modules",
                "vfio\nvfio_iommu_type1\nvfio_pci\n",
            )
            .file(
                "etc/initramfs-tools/scripts/init-top/preflight-vfio",
                SCRIPT,
            )
            .file(
                "etc/dracut.conf.d/preflight-vfio.conf",
                "force_drivers+=\" vfio vfio_iommu_type1 vfio_pci \"\n",
            )
            .file(&format!("lib/modules/{release}/modules.dep"), list.as_str());
        for line in list.lines().filter(|line| line.contains("/drivers/vfio/")) {
            for path in line.split([':', ' ']).filter(|path| !path.is_empty()) {
                let bytes = std::fs::read(folder.join(path)).unwrap();
                files = files.file(&format!("lib/modules/{release}/{path}"), bytes);
            }
        }
        files
    }

    fn boot(&self, name: &str, initrd: &[u8], texts: &[&str], options: &[&str]) {
        let initramfs = self.folder.path().join(name);
        std::fs::write(&initramfs, initrd).unwrap();
        let kernel = self
            .peers
            .root()
            .join(format!("boot/vmlinuz-{}", self.release()));
        let images = Images { kernel, initramfs };
        let boot = Boot::new(name, &images, Machine::q35().memory(1024)).deadlines(self.deadlines);
        let boot = options
            .iter()
            .fold(boot.option("ignore_loglevel"), |boot, option| {
                boot.option(option)
            });
        let mut run = boot.start(&self.qemu).unwrap();
        for text in texts {
            run.wait_text(text, Duration::from_secs(400)).unwrap();
        }
        let log = run.serial().text().into_owned();
        assert!(!log.contains("Initramfs unpacking failed"), "{log}");
    }
}

fn read(initrd: &[u8], tool: InitramfsTool) -> InitrdContent {
    let content = InitrdContent::parse(initrd, &mut Unpacking::default());
    assert_eq!(content.broken, None);
    assert_eq!(content.tool, Some(tool));
    content
}

/// What `image-builder inspect` says about it agrees with what installed systems' initrds are read by.
fn is_inspected(initrd: &[u8], tool: InitramfsTool, release: &str) {
    let Some(Content::Initramfs(seen)) = recognize(initrd) else {
        panic!("not taken for an initramfs");
    };
    assert_eq!((&seen.broken, seen.maker), (&None, Some(Maker::Tool(tool))));
    let releases: Vec<_> = seen.releases.iter().map(|seen| &seen.release).collect();
    assert_eq!(releases, [release]);
    let read = InitrdContent::parse(initrd, &mut Unpacking::default());
    let entries: usize = seen.segments.iter().map(|segment| segment.entries).sum();
    assert_eq!(entries, read.entries);
    assert_eq!(seen.segments.len(), read.parts.len());
    let names: BTreeSet<_> = seen
        .modules
        .iter()
        .map(|module| module.name.as_str())
        .collect();
    for module in &read.modules {
        assert!(names.contains(module.as_str()), "{module}");
    }
    let unknown: Vec<_> = seen
        .modules
        .iter()
        .filter(|module| module.license.is_none())
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for program in ["sh", "kmod", "mount"] {
        assert!(seen.programs.contains(program), "{program}");
    }
}

#[test]
fn an_initrd_of_mkinitramfs_runs_the_script_and_loads_vfio_pci_with_the_option_from_behind_it() {
    let Some(lab) = Lab::open() else { return };
    let before = lab.made("native-mkinitramfs", Peers::mkinitramfs);
    let content = read(&before, InitramfsTool::InitramfsTools);
    assert!(!content.modules.contains("vfio_pci"));
    let after = native::initrd::update(&before, &lab.release(), &lab.root()).unwrap();
    for initrd in [&before, &after] {
        is_inspected(initrd, InitramfsTool::InitramfsTools, &lab.release());
    }
    let content = read(&after, InitramfsTool::InitramfsTools);
    assert!(content.modules.contains("vfio_pci"));
    assert_eq!(content.files["etc/modprobe.d/preflight-vfio.conf"], OPTIONS);
    lab.boot(
        "native-mkinitramfs",
        &after,
        &["preflight-vfio runs", LOADED],
        &["break=premount"],
    );
}

#[test]
#[ignore = "takes long: make soak"]
fn an_initrd_of_dracut_loads_vfio_pci_with_the_option_from_behind_it() {
    let Some(lab) = Lab::open() else { return };
    let before = lab.made("native-dracut", Peers::dracut);
    let content = read(&before, InitramfsTool::Dracut);
    assert!(
        !content
            .files
            .contains_key("etc/modprobe.d/preflight-vfio.conf")
    );
    let after = native::initrd::update(&before, &lab.release(), &lab.root()).unwrap();
    for initrd in [&before, &after] {
        is_inspected(initrd, InitramfsTool::Dracut, &lab.release());
    }
    let content = read(&after, InitramfsTool::Dracut);
    assert!(content.modules.contains("vfio_pci"));
    lab.boot("native-dracut", &after, &[LOADED], &[]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// With the check sum that the kernel knows.
fn xz(bytes: &[u8]) -> Vec<u8> {
    let stream =
        liblzma::stream::Stream::new_easy_encoder(1, liblzma::stream::Check::Crc32).unwrap();
    let mut writer = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// The legacy frame, of one block.
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(bytes);
    let length = u32::try_from(block.len()).unwrap();
    [&b"\x02\x21\x4c\x18"[..], &length.to_le_bytes(), &block].concat()
}

/// The init of the packed archive is no program; only the one behind it can run.
fn starts_by_what_stands_behind(name: &str, pack: fn(&[u8]) -> Vec<u8>) {
    let Some(lab) = Lab::open() else { return };
    let init = std::fs::read(env!("CARGO_BIN_EXE_baseline-init")).unwrap();
    let entries = [
        Entry::folder("dev"),
        Entry::device("dev/console", 5, 1),
        Entry::program("init", b"no program".to_vec()),
    ];
    let before = pack(&initramfs::write(&entries).unwrap());
    let put = native::initrd::InitrdFile {
        path: "init".to_owned(),
        mode: 0o755,
        bytes: init,
    };
    let after = native::initrd::with_files(&before, &lab.release(), &[put]).unwrap();
    let initramfs = lab.folder.path().join(name);
    std::fs::write(&initramfs, after).unwrap();
    let kernel = lab
        .peers
        .root()
        .join(format!("boot/vmlinuz-{}", lab.release()));
    let images = Images { kernel, initramfs };
    let boot = Boot::new(name, &images, Machine::q35().memory(512)).deadlines(lab.deadlines);
    let mut run = boot.option("baseline=end").start(&lab.qemu).unwrap();
    run.wait_milestone(Milestone::Init).unwrap();
    run.wait_end().unwrap();
    let log = run.serial().text().into_owned();
    assert!(!log.contains("Initramfs unpacking failed"), "{log}");
}

#[test]
fn the_kernel_takes_what_stands_behind_an_archive_packed_with_gzip() {
    starts_by_what_stands_behind("native-gzip", gzip);
}

#[test]
fn the_kernel_takes_what_stands_behind_an_archive_packed_with_xz() {
    starts_by_what_stands_behind("native-xz", xz);
}

#[test]
fn the_kernel_takes_what_stands_behind_an_archive_packed_with_lz4() {
    starts_by_what_stands_behind("native-lz4", lz4);
}
