//! The whole way: planned, applied and taken back by the stick, and in between the installed system, started by its
//! own firmware and boot loader.

use std::path::PathBuf;
use std::time::Duration;

use qemu_tests::golden::Golden;
use qemu_tests::storage_guest::Inventory;
use qemu_tests::{Boot, Images, Machine, Said, Stick, StickShell, image_with_zfs};

use crate::host::Host;
use crate::lab::{CARD, Lab};
use crate::planned::{Planned, planned};
use crate::power::{FEW, Look, Recorded};

/// On the reference machine, some ten times what is seen there.
const A_ROM: Duration = Duration::from_secs(120);
/// An initrd takes about a minute.
pub const A_CHANGE: Duration = Duration::from_secs(1200);
/// An initrd is made in memory, and a quarter of it is for the overlays; MiB.
const MEMORY: u32 = 3072;

/// So many power cuts are looked at in every run: as many as one guest recovers.
const CRASH_STATES: Look = Look {
    states: 32,
    bounds: FEW,
    thorough: false,
};

/// What a start and an end of the system write by themselves.
const WRITTEN_BY_A_START: [&str; 7] = [
    // By grub-common's service, which has nothing to change in it.
    "/boot/grub/grubenv",
    "/root/.bash_history",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/timers/",
    "/var/log/",
    "/var/cache/",
    "/etc/resolv.conf",
];

impl Lab {
    /// A shell of the image on the machine of the system, with an empty stick.
    pub fn stick(&self, phase: &str, disks: &[PathBuf]) -> StickShell {
        self.shell(phase, self.stick_machine(disks))
    }

    /// The machine of the system with enough memory for a rehearsal.
    pub fn stick_machine(&self, disks: &[PathBuf]) -> Machine {
        self.machine(disks).memory(MEMORY)
    }

    /// A shell of the image on this machine, with an empty stick.
    pub fn shell(&self, phase: &str, machine: Machine) -> StickShell {
        let images = match self.installed.manifest.pool {
            Some(_) => image_with_zfs().unwrap(),
            None => Images::unpacked().unwrap(),
        };
        let stick = Stick::new(self.folder()).unwrap();
        let boot = Boot::new(&self.name(phase), &images, machine.stick(&stick));
        StickShell::open(boot.deadlines(self.patient()), &self.qemu).unwrap()
    }

    /// What gives the card away. Only hosts in Proxmox's layout have a guest with a number.
    pub fn choice(&self) -> String {
        let guest = if self.installed.golden().is_proxmox() {
            " --vm 102"
        } else {
            ""
        };
        format!("--root auto --device {CARD}{guest}")
    }

    /// Takes the change on these disks back, when it was listed without a write to any disk, and switches the machine
    /// off.
    pub fn undo(&self, phase: &str, disks: &[PathBuf]) -> Said {
        let mut shell = self.stick(phase, disks);
        let before = writes(&mut shell);
        let listed = asked(&mut shell, "preflight undo --root auto", A_CHANGE);
        assert_eq!(listed.status, 0);
        for words in ["To be put back from the receipt", "With --yes it is done."] {
            assert!(listed.text.contains(words), "{}", listed.text);
        }
        assert_eq!(writes(&mut shell), before);
        let said = asked(&mut shell, "preflight undo --root auto --yes", A_CHANGE);
        assert_ne!(writes(&mut shell), before);
        shell.power_off().unwrap();
        said
    }
}

/// For each disk of the stick's machine, completed writes and written sectors
/// (Documentation/admin-guide/iostats.rst, fields 5 and 7).
pub fn writes(shell: &mut StickShell) -> Vec<[String; 2]> {
    let said = asked(shell, "cat /sys/block/[sn]*/stat", A_CHANGE);
    let lines = said.text.lines();
    let counted = lines.map(|line| {
        let mut fields = line.split_whitespace().skip(4).step_by(2);
        [(); 2].map(|()| fields.next().unwrap().to_owned())
    });
    counted.collect()
}

/// Asks the stick, and prints what it says.
pub fn asked(shell: &mut StickShell, command: &str, patience: Duration) -> Said {
    println!("stick: {command}");
    let said = shell.ask(command, patience).unwrap();
    println!("{}stick: status {}", said.text, said.status);
    said
}

/// Gives the card away on this machine, where `from_file` by a plan that was made before; what is planned, as it is
/// shown before it is done.
fn apply(lab: &Lab, machine: Machine, with_rom: bool, from_file: bool) -> Vec<Planned> {
    let mut shell = lab.shell("apply", machine);
    let mut choice = lab.choice();
    if with_rom {
        let read =
            format!("preflight rom dump {CARD} -o /run/rom && cp /run/rom/*.rom /run/card.rom");
        assert_eq!(asked(&mut shell, &read, A_ROM).status, 0);
        choice.push_str(" --rom /run/card.rom");
    }
    if from_file {
        let made = format!("preflight plan {choice} --format json >/run/plan.json");
        assert_eq!(asked(&mut shell, &made, A_CHANGE).status, 0);
        "--root auto --plan /run/plan.json".clone_into(&mut choice);
    }
    let applied = asked(
        &mut shell,
        &format!("preflight apply {choice} --yes"),
        A_CHANGE,
    );
    assert_eq!(applied.status, 0);
    shell.power_off().unwrap();
    leaves_what_a_person_needs(lab, &applied);
    planned(&applied.text)
}

/// In every folder of an apply: what was done is on the stick from before the writing on, and again behind it.
fn leaves_what_a_person_needs(lab: &Lab, applied: &Said) {
    let files = Stick::existing(lab.folder()).files().unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let folders = applied.text.lines().filter_map(|line| {
        let name = line.trim().strip_prefix("Saved on the stick in ")?;
        name.starts_with("apply-").then_some(name)
    });
    let folders: Vec<&str> = folders.collect();
    assert_eq!(folders.len(), 2, "{}", applied.text);
    let mut wanted = vec!["apply.json"];
    if lab.installed.golden().is_proxmox() {
        wanted.push("guest-102-checklist.txt");
    }
    for folder in folders {
        for name in &wanted {
            let path = format!("{folder}/{name}");
            assert!(paths.contains(&path.as_str()), "no {path} in {paths:?}");
        }
    }
}

/// The card is vfio-pci's from the beginning, and nobody else's at any time.
pub fn gives_the_card_away(host: &Host, files: &[Planned]) {
    assert_eq!(
        host.drivers(),
        [Some("vfio-pci"); 2],
        "{:?}",
        host.functions
    );
    let used = host.used();
    assert!(
        used.is_empty(),
        "a driver of the host used the card: {used:?}"
    );
    for word in ["intel_iommu=on", "iommu=pt"] {
        assert!(
            host.command_line.split(' ').any(|known| known == word),
            "{}",
            host.command_line
        );
    }
    for words in ["DMAR: IOMMU enabled", "DMAR-IR: Enabled IRQ remapping"] {
        assert!(
            host.log.contains(words),
            "no '{words}' in the kernel's log:\n{}",
            host.log
        );
    }
    for (file, shown) in files.iter().zip(&host.answers) {
        assert_eq!(
            file.missing(shown),
            Vec::<&str>::new(),
            "{} is\n{shown}",
            file.path
        );
    }
}

/// Having nothing to undo is no error, and is not what is wanted here.
pub fn takes_it_back(undo: &Said) {
    assert_eq!(undo.status, 0);
    assert!(undo.text.contains(" is undone: "), "{}", undo.text);
}

/// Each file is there and as it was.
pub fn is_the_same(before: &Inventory, after: &Inventory) {
    let difference = before.difference(after);
    assert!(
        difference.is_empty(),
        "not as before:\n{}",
        difference.join("\n")
    );
}

pub fn without_a_start(inventory: &Inventory) -> Inventory {
    inventory.clone().without(|path| {
        let written = |known: &str| match known.strip_suffix('/') {
            Some(_) => path.starts_with(known),
            None => path == known,
        };
        WRITTEN_BY_A_START.iter().any(|known| written(known))
    })
}

/// The way with one system. `thorough` goes by a plan in a file, also takes back what has started meanwhile, and starts
/// what was taken back.
pub fn round_trip(golden: Golden, with_rom: bool, thorough: bool) {
    let Some(lab) = Lab::with(golden) else { return };
    let disks = lab.disks("applied");
    let files = apply(&lab, lab.stick_machine(&disks), with_rom, thorough);
    goes_on(&lab, &disks, &files, with_rom, thorough);
}

/// What follows when these disks are changed as planned.
fn goes_on(lab: &Lab, disks: &[PathBuf], files: &[Planned], with_rom: bool, thorough: bool) {
    assert!(files.len() > 1, "{files:?}");
    assert_eq!(
        files.iter().any(|file| file.sha256.is_some()),
        with_rom,
        "{files:?}"
    );

    let started = lab.copy("started", disks);
    let questions: Vec<String> = files.iter().map(Planned::shown_by).collect();
    gives_the_card_away(&lab.start("given-away", &started, &questions), files);

    // Both stand on what was applied, which therefore stays as it is.
    let undone = lab.copy("undone", disks);
    takes_it_back(&lab.undo("undo", &undone));
    let before = lab.inventory_as_installed();
    is_the_same(&before, &lab.inventory("after", &undone));
    if !thorough {
        return;
    }
    takes_it_back(&lab.undo("undo-later", &started));
    let later = lab.inventory("after-later", &started);
    is_the_same(&without_a_start(&before), &without_a_start(&later));
    for (phase, disks) in [("as-before", undone), ("as-before-later", started)] {
        let host = lab.start(phase, &disks, &[]);
        assert_eq!(host.command_line, lab.installed.manifest.command_line);
        assert_eq!(host.drivers()[1], Some("snd_hda_intel"));
    }
}

#[test]
fn lvm_and_ext4_give_a_card_with_its_rom_to_a_guest_and_take_it_back_and_power_cuts_tear_nothing() {
    let Some(lab) = Lab::with(Golden::LvmExt4Bios) else {
        return;
    };
    let recorded = Recorded::of(&lab);
    let files = apply(&lab, recorded.machine(&lab), true, false);
    let cuts = recorded.cuts(&lab);
    assert!(cuts.judge(&lab, CRASH_STATES).len() >= 3);
    goes_on(&lab, &cuts.complete(&lab), &files, true, false);
}

#[test]
fn a_zfs_mirror_with_systemd_boot_gives_a_card_to_a_guest_and_takes_it_back() {
    round_trip(Golden::ZfsSystemdBoot, false, false);
}

/// All of them, and more of each: part of `make soak`.
mod soak {
    use super::*;

    macro_rules! thorough {
        ($($name:ident: $golden:ident),* $(,)?) => {$(
            #[test]
            #[ignore = "takes long: make soak"]
            fn $name() {
                round_trip(Golden::$golden, Golden::$golden.is_proxmox(), true);
            }
        )*};
    }

    thorough! {
        lvm_and_ext4_by_bios: LvmExt4Bios,
        lvm_and_ext4_by_uefi: LvmExt4Uefi,
        lvm_and_xfs_by_uefi: LvmXfsUefi,
        a_zfs_mirror_by_systemd_boot: ZfsSystemdBoot,
        a_zfs_mirror_by_grub_on_its_esps: ZfsGrub,
        a_btrfs_mirror_by_bios: BtrfsMirror,
        debian_with_dracut_by_uefi: DebianDracut,
    }
}
