//! An image that is built on the host that it is for, from the kernel that runs there and with the host's programs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use qemu_tests::golden::Golden;
use qemu_tests::{Boot, Device, Images, Stick, StickShell, preflight_of_image, skip};

use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked};

/// Room for a kernel and an initramfs that is not compressed.
const RESULT: u64 = 256 << 20;
/// In the host's memory: /run takes no programs.
const FOLDER: &str = "/dev/shm";

/// The host's own busybox is its shell, with the libraries that it needs.
const BUILD: &str = "image-builder initramfs --kernel host --system / --with lvm,mdadm,btrfs,zfs? \
    --add-binary /bin/busybox --level none --init preflight -o initramfs --kernel-out vmlinuz";

impl Lab {
    /// The kernel and initramfs that the host makes on itself, and its `uname -r`.
    fn built_by_the_host(&self, builder: &Path) -> (Images, String) {
        let preflight = preflight_of_image().unwrap();
        let result = self.folder().join("result.img");
        File::create(&result).unwrap().set_len(RESULT).unwrap();
        let disks = self.disks("host-kernel");
        let mut machine = self.stick_machine(&disks);
        let mut commands = vec!["uname -r".to_owned()];
        for (program, name, disk) in [
            (builder, "image-builder", "vda"),
            (&preflight, "preflight", "vdb"),
        ] {
            machine = self.carried(program, machine);
            let length = fs::metadata(program).unwrap().len();
            commands.push(format!(
                "cd {FOLDER} && head -c {length} /dev/{disk} >{name} && chmod 755 {name}"
            ));
        }
        commands.push(format!("cd {FOLDER} && ./{BUILD} 2>&1; echo status $?"));
        commands.push(format!("cd {FOLDER} && stat -c %s vmlinuz initramfs"));
        commands.push(format!(
            "cd {FOLDER} && cat vmlinuz initramfs >/dev/vdc && sync && echo written"
        ));
        let machine = machine.integrated(Device::VirtioBlock {
            image: result.clone(),
        });
        let host = self.start_on("host-kernel-build", machine, &commands);
        let [release, _, _, built, lengths, written] = host.answers.as_slice() else {
            panic!("{:?}", host.answers);
        };
        assert!(built.ends_with("status 0"), "{built}");
        assert_eq!(written, "written");
        let mut lengths = lengths.lines().map(|line| line.trim().parse::<u64>());
        let mut file = File::open(&result).unwrap();
        let mut next = |name: &str| {
            let length = lengths.next().unwrap().unwrap();
            let path = self.folder().join(name);
            let mut part = (&mut file).take(length);
            io::copy(&mut part, &mut File::create(&path).unwrap()).unwrap();
            path
        };
        let kernel = next("host-vmlinuz");
        let images = Images {
            kernel,
            initramfs: next("host-initramfs"),
        };
        (images, release.trim().to_owned())
    }
}

/// The program that `make image` has built and used.
fn builder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let path = root.join("target/x86_64-unknown-linux-gnu/tools/image-builder");
    path.is_file().then_some(path)
}

fn looks_at_the_host_that_built_it(golden: Golden, root: &str) {
    let Some(builder) = builder() else {
        return skip("there is no image-builder; run make image");
    };
    let Some(lab) = Lab::with(golden) else { return };
    let (images, release) = lab.built_by_the_host(&builder);
    let machine = lab.stick_machine(&lab.disks("host-kernel-look"));
    let stick = Stick::new(lab.folder()).unwrap();
    let boot = Boot::new(
        &lab.name("host-kernel-look"),
        &images,
        machine.stick(&stick),
    );
    let mut shell = StickShell::open(boot.deadlines(lab.patient()), &lab.qemu).unwrap();
    assert_eq!(asked(&mut shell, "uname -r", A_CHANGE).text.trim(), release);
    let said = asked(&mut shell, "preflight systems", A_CHANGE);
    assert_eq!(said.status, 0);
    assert!(said.text.contains(root), "{}", said.text);
    shell.power_off().unwrap();
}

#[test]
#[ignore = "takes long: make soak"]
fn a_host_with_zfs_builds_an_image_that_reads_its_pool() {
    looks_at_the_host_that_built_it(Golden::ZfsSystemdBoot, "rpool/ROOT/pve-1");
}

#[test]
#[ignore = "takes long: make soak"]
fn a_host_with_lvm_builds_an_image_that_reads_its_volumes() {
    looks_at_the_host_that_built_it(Golden::LvmExt4Uefi, "pve/root");
}
