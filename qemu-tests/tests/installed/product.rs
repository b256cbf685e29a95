//! What the image itself says of installed systems: a session from power on to power off, on the machine that
//! they were installed on.

use std::path::PathBuf;

use proxmox::{Installation, System, Systems};
use qemu_tests::golden::Installed;
use qemu_tests::{Boot, Images, Machine, Milestone, Stick};

use crate::lab::Lab;
use crate::untouched::Harm;

impl Lab {
    /// The systems that a session on the machine of `installed` finds on its disks and on these others.
    pub fn session(&self, installed: &Installed, others: &[(&Installed, &[PathBuf])]) -> Systems {
        let name = format!("installed-session-{}", installed.golden().name());
        let disks = self.overlays("session", &installed.disks);
        let mut all = disks.clone();
        let mut machine = installed.machine(&disks, self.folder()).unwrap();
        for (number, (other, disks)) in others.iter().enumerate() {
            let disks = self.overlays(&format!("other{number}"), disks);
            machine = other.attach(machine, &disks);
            all.extend(disks);
        }
        self.session_on(&name, machine, &all)
    }

    fn session_on(&self, name: &str, machine: Machine, disks: &[PathBuf]) -> Systems {
        let images: Images = qemu_tests::image_with_zfs().unwrap();
        let stick = Stick::new(self.folder()).unwrap();
        let boot = Boot::new(name, &images, machine.stick(&stick))
            .deadlines(self.patient())
            .option("preflight.end=menu")
            .option("preflight.mode=assess");
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Shown).unwrap();
        let result = run.result().unwrap();
        let harm = Harm::counted_but_for_the_stick(&mut run);
        drop(run);
        assert_eq!(harm.and_in(&self.qemu, disks), Harm::default());
        let saved = result.saved.unwrap();
        let bytes = stick
            .file(&format!("{}/systems.json", saved.folder))
            .unwrap();
        if let Some(folder) = std::env::var_os("PREFLIGHT_KEEP_SYSTEMS") {
            std::fs::write(PathBuf::from(folder).join(format!("{name}.json")), &bytes).unwrap();
        }
        serde_json::from_slice(&bytes).unwrap()
    }
}

/// The only system of a session.
pub fn only(systems: &Systems) -> (&System, &Installation) {
    let [system] = systems.systems.as_slice() else {
        panic!("one system: {:?}", systems.systems.len());
    };
    (system, &system.installation)
}

#[test]
fn dump() {
    use qemu_tests::golden::Golden;
    let golden = Golden::named(&std::env::var("GOLDEN").unwrap()).unwrap();
    let Some((lab, [installed])) = Lab::with([golden]) else {
        return;
    };
    let systems = lab.session(&installed, &[]);
    only(&systems);
}
