//! What every test starts from.

use std::fs;
use std::path::Path;

use cards::CardProfile;
use qemu_tests::probe::{self, Answers, Request};
use qemu_tests::{
    Boot, Deadlines, Device, Dmar, Images, Iommu, Machine, Port, Qemu, ServedCard, baseline, skip,
};
use tempfile::TempDir;

/// The init that carries out requests.
pub const PROBE: &str = env!("CARGO_BIN_EXE_guest-probe");

/// A QEMU that takes cards, and a folder for the files of one machine.
pub struct Lab {
    pub qemu: Qemu,
    pub deadlines: Deadlines,
    folder: TempDir,
}

/// What a guest answered, and what its kernel logged.
pub struct Seen {
    pub answers: Answers,
    pub kernel_log: String,
}

impl Lab {
    /// The lab, or nothing and the reason printed.
    pub fn open() -> Option<Self> {
        let opened = || -> Result<Self, String> {
            let kernel = Images::kernel()?;
            let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
            if !qemu.is_recent() {
                return Err(format!("{} takes no cards", qemu.place()));
            }
            let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
            let deadlines =
                baseline::deadlines(&qemu, &kernel, init).map_err(|failure| failure.to_string())?;
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            // The packages that its image is made of may be out of reach.
            probe::image(Path::new(PROBE), &[], folder.path())
                .map_err(|error| format!("{error:#}"))?;
            Ok(Self {
                qemu,
                deadlines,
                folder,
            })
        };
        opened().map_err(|why| skip(&why)).ok()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Boots a guest that carries out `requests`.
    pub fn ask(&self, name: &str, machine: Machine, requests: Vec<Request>) -> Seen {
        self.ask_with(name, machine, None, requests)
    }

    /// The same with another DMAR table than QEMU's.
    pub fn ask_with(
        &self,
        name: &str,
        machine: Machine,
        dmar: Option<&Dmar>,
        requests: Vec<Request>,
    ) -> Seen {
        let images = probe::image(Path::new(PROBE), &requests, self.folder()).unwrap();
        if let Some(dmar) = dmar {
            let image = fs::read(&images.initramfs).unwrap();
            fs::write(&images.initramfs, dmar.before(&image).unwrap()).unwrap();
        }
        let boot = Boot::new(name, &images, machine).deadlines(self.deadlines);
        let mut run = boot.start(&self.qemu).unwrap();
        let answers = run.answers().unwrap();
        run.wait_end().unwrap();
        Seen {
            answers: Answers::new(requests, answers),
            kernel_log: run.serial().text().into_owned(),
        }
    }
}

/// A machine with VT-d, a boot display, and each card behind a root port of its own: the first is at
/// 01:00, the second at 02:00.
pub fn machine(cards: &[&ServedCard]) -> Machine {
    let machine = Machine::q35()
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        })
        .display(Device::StandardVga);
    cards.iter().fold(machine, |machine, card| {
        machine.card(Port::RootPort, Device::Card((*card).clone()))
    })
}

pub fn serve(profile: &CardProfile) -> ServedCard {
    ServedCard::start(profile).unwrap()
}
