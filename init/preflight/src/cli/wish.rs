use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use assess::Options;
use hardware::{InstalledUse, Machine, Names, Reading, RomReading, Source};
use pci::Address;
use plan::{Choice, Plan, Subject, UNVERIFIED, refusal_ids, rom_advised};
use proxmox::disks::DiskUse;

mod rom;

use super::dialogue::Chosen;
use crate::session::KeptRoms;
use crate::session::look::{self, Basis, Look};
use crate::systems::OneSystem;
use rom::RomWish;

/// What a person wants to give to which guest.
#[derive(Clone, clap::Args)]
pub struct Wish {
    /// A function to be given to the guest, as 0000:01:00.0; the others of its card go with it
    #[arg(long, value_name = "ADDRESS", num_args = 1..)]
    device: Vec<Address>,
    /// The machine that the system is on, as for assess [default: this machine]
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// The guest (VMID) that is to get them [default: no guest is touched]
    #[arg(long, value_name = "ID")]
    vm: Option<u32>,
    /// A ROM for the card: a file, as 'preflight rom dump' saves it, or 'read', the clean copy that the session of
    /// this stick read at the start
    #[arg(long, value_name = "FILE|read", value_parser = RomWish::parse)]
    rom: Option<RomWish>,
    /// Set an option; docs/plan.md has them all
    #[arg(long, value_name = "OPTION=VALUE")]
    set: Vec<String>,
    /// Take a refusal as said, by its id
    #[arg(long, value_name = "REFUSAL")]
    accept: Vec<String>,
}

impl Wish {
    /// Whether anything is to be given away.
    pub fn names_a_card(&self) -> bool {
        !self.device.is_empty()
    }

    /// Fails where nothing is, before anybody has waited for a look.
    pub fn must_name_a_card(&self) -> Result<()> {
        if self.names_a_card() {
            return Ok(());
        }
        bail!("name the card with --device ADDRESS; 'preflight assess' has the addresses")
    }

    /// Whether something is taken as said, by its id.
    pub fn accepts(&self, id: &str) -> bool {
        self.accept.iter().any(|accepted| accepted == id)
    }

    /// Whether nothing else is.
    pub fn accepts_nothing_but(&self, id: &str) -> bool {
        self.accept.iter().all(|accepted| accepted == id)
    }

    /// The same with what was chosen.
    pub fn with(&self, chosen: Chosen) -> Self {
        Self {
            device: chosen.devices,
            vm: chosen.guest.or(self.vm),
            ..self.clone()
        }
    }

    /// The same with the clean copy of the ROM that was read of the card.
    pub fn with_rom_as_read(self) -> Self {
        Self {
            rom: Some(RomWish::Read),
            ..self
        }
    }

    /// Why the guest should be given that copy, where nobody has said anything of a ROM.
    pub fn advised_rom(&self, seen: &Seen, judged: &Look) -> Result<Option<String>> {
        if self.rom.is_some() || self.vm.is_none() {
            return Ok(None);
        }
        let choice = self.choice(seen)?;
        Ok(rom_advised(&judged.machine, &judged.assessment, &choice))
    }

    /// The machine that it is about.
    pub fn seen(&self) -> Result<Seen> {
        let options = self.options()?;
        let names = Names::find();
        let saved = match &self.from {
            Some(path) => hardware::load(path, names.as_ref())?,
            None => hardware::Saved {
                machine: hardware::read(&Source::live())?,
                roms: kept(&KeptRoms::of_this_boot()),
                names: None,
            },
        };
        Ok(Seen {
            machine: saved.machine,
            roms: saved.roms,
            names: saved.names.or(names),
            options,
            is_this: self.from.is_none(),
        })
    }

    /// What is to be changed in this system for it.
    pub fn plan(&self, seen: &Seen, system: &OneSystem) -> Result<Plan> {
        let judged = seen.judged();
        let choice = self.choice(seen)?;
        let looked = system.found.look.as_ref();
        let mut plan = plan::plan(
            Subject {
                machine: &judged.machine,
                assessment: &judged.assessment,
                installation: system.installation()?,
                files: &system.files,
                disks: self.disks(looked.map(|look| look.uses.as_slice())),
            },
            &choice,
        );
        // Whoever names a machine may apply it elsewhere, with the system's disks in another one.
        if self.from.is_some() {
            plan.device_ids.clear();
        }
        Ok(plan)
    }

    /// What the disks are used for. Another machine has other disks, at the same addresses as these.
    fn disks<'a>(&self, uses: Option<&'a [DiskUse]>) -> Option<&'a [DiskUse]> {
        uses.filter(|_| self.from.is_none())
    }

    fn options(&self) -> Result<Options> {
        let asked = self
            .set
            .iter()
            .rev()
            .find_map(|setting| setting.strip_prefix("acs-override="));
        let acs_override = asked.unwrap_or("none").parse();
        Ok(Options {
            acs_override: acs_override.context("--set acs-override takes none, or a comma list of downstream, multifunction, id:VVVV:DDDD")?,
        })
    }

    fn choice(&self, seen: &Seen) -> Result<Choice> {
        let mut choice = Choice {
            devices: self.device.clone(),
            guest: self.vm,
            accepted: self.accept.iter().cloned().collect(),
            ..Choice::default()
        };
        for setting in &self.set {
            choice.set(setting)?;
        }
        if let Some(unknown) = self.accept.iter().find(|id| {
            !refusal_ids()
                .chain([UNVERIFIED])
                .any(|known| known == id.as_str())
        }) {
            bail!("there is no refusal '{unknown}'; docs/plan.md has them all");
        }
        if let Some(rom) = &self.rom {
            choice.rom = rom.file(seen, &choice)?;
        }
        Ok(choice)
    }
}

/// A machine as it was read for a wish.
pub struct Seen {
    machine: Machine,
    roms: Option<Vec<RomReading>>,
    names: Option<Names>,
    options: Options,
    /// Whether it is the machine that this runs on.
    is_this: bool,
}

impl Seen {
    /// The machine, as it is now.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Fails where a plan was made when other devices were at its addresses.
    pub fn must_have_the_devices_of(&self, plan: &Plan) -> Result<()> {
        let misplaced = plan.misplaced(&self.machine);
        if misplaced.is_empty() {
            return Ok(());
        }
        bail!(
            "the machine is not as it was when the plan was made: {}; plan again",
            misplaced.join("; ")
        )
    }

    /// Judged as it will be: under the override that the plan switches on.
    pub fn judged(&self) -> Look {
        self.judge(self.machine.clone())
    }

    /// The same, when it is known what installed systems have on the disks of this machine. Another one has other
    /// disks under the same names.
    pub fn judged_with(&self, uses: Reading<Vec<InstalledUse>>) -> Look {
        let mut machine = self.machine.clone();
        if self.is_this {
            machine.installed_uses = uses;
        }
        self.judge(machine)
    }

    fn judge(&self, machine: Machine) -> Look {
        let basis = Basis {
            roms: self.roms.as_deref(),
            names: self.names.as_ref(),
            options: &self.options,
        };
        look::judge(machine, &basis)
    }
}

/// What a session has read of option ROMs. Without it there is still a plan, which cannot say whether the guest's
/// firmware runs the card's.
fn kept(place: &KeptRoms) -> Option<Vec<RomReading>> {
    place.read().unwrap_or_else(|error| {
        eprintln!(
            "preflight: the option ROMs that were read at the start are lost, and the plan is made without them \
             (--rom gives it the card's): {error:#}"
        );
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_disks_of_this_machine_is_not_put_onto_another_one() {
        let used = Reading::Known(vec![InstalledUse {
            disk: "sda".to_owned(),
            system: None,
            what: "root".to_owned(),
            is_root: true,
        }]);
        let with = |is_this: bool| {
            let seen = Seen {
                machine: Machine::default(),
                roms: None,
                names: None,
                options: Options::default(),
                is_this,
            };
            seen.judged_with(used.clone()).machine.installed_uses
        };
        assert_eq!(with(true), used);
        assert_eq!(with(false), Machine::default().installed_uses);
    }

    #[test]
    fn a_plan_is_made_without_what_cannot_be_read_of_the_roms() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roms");
        assert_eq!(kept(&KeptRoms::at(&path)), None);
        KeptRoms::at(&path).keep(&[]).unwrap();
        assert_eq!(kept(&KeptRoms::at(&path)), Some(Vec::new()));
        std::fs::write(&path, "broken").unwrap();
        assert_eq!(kept(&KeptRoms::at(&path)), None);
    }

    #[test]
    fn a_plan_whose_device_is_gone_is_to_be_made_again() {
        let seen = Seen {
            machine: Machine::default(),
            roms: None,
            names: None,
            options: Options::default(),
            is_this: true,
        };
        let document = |ids: &str| {
            let text = format!(
                r#"{{"schema": "preflight.plan/1", "system": "", "devices": ["0000:01:00.0"], {ids} "guest": null,
                "options": [], "changes": [], "needs": {{"initramfs": [], "boot_files": []}}, "notes": [],
                "warnings": [], "refusals": []}}"#
            );
            serde_json::from_str::<Plan>(&text).unwrap()
        };
        assert!(seen.must_have_the_devices_of(&document("")).is_ok());
        let with_ids =
            document(r#""device_ids": {"0000:01:00.0": {"vendor": "10de", "device": "1b80"}},"#);
        let error = seen.must_have_the_devices_of(&with_ids).unwrap_err();
        assert!(
            error.to_string().ends_with("nothing is there; plan again"),
            "{error}"
        );
    }

    #[test]
    fn a_plan_for_another_machine_is_not_judged_by_the_disks_of_this_one() {
        let given = |from: Option<&str>| {
            let wish = Wish {
                device: Vec::new(),
                from: from.map(PathBuf::from),
                vm: None,
                rom: None,
                set: Vec::new(),
                accept: Vec::new(),
            };
            wish.disks(Some(&[])).is_some()
        };
        assert!(given(None) && !given(Some("capture")));
    }
}
