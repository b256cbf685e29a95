use std::collections::BTreeMap;
use std::mem;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use modules::{Index, Loader, ModuleName};

use super::devices::Devices;
use super::module_queue::Need;

/// Modules that no device asks for and the stick's file system needs: loaded before the first driver of a disk or USB
/// controller, which may be held by a disk that is dying.
const WITH_DISKS: &[&str] = &["vfat", "nls_cp437", "nls_iso8859_1"];
/// What keyboards and sticks ask for, loaded with the first of their controllers: when they show themselves, a disk
/// that is dying may hold what would load it then.
const WITH_USB: &[&str] = &["usbhid", "hid_generic", "usb_storage", "uas", "sd_mod"];

/// A disk's driver that takes longer may be held by a dying one.
const HELD: Duration = Duration::from_secs(2);

/// Loads the modules of all devices, in a thread of its own: a driver can take long over a dying disk.
pub struct ModuleLoading {
    devices: Devices,
    loader: Loader,
    with_disks: bool,
    with_usb: bool,
}

impl ModuleLoading {
    /// One that takes what waits at the devices' queue. `command_line`: the kernel's, with parameters of modules.
    pub fn new(devices: Devices, command_line: &str) -> anyhow::Result<Self> {
        Ok(Self {
            devices,
            loader: Loader::new(find_modules()?, parameters(command_line)),
            with_disks: false,
            with_usb: false,
        })
    }

    /// Never returns.
    pub fn run(mut self) {
        // A driver may bring new devices whose own modules are needed in turn: again until nothing is new.
        loop {
            self.devices.queue_all();
            let Some(first) = self.devices.queue().take() else {
                break;
            };
            self.serve(&first);
            while let Some(modalias) = self.devices.queue().take() {
                self.serve(&modalias);
            }
        }
        // A card whose reader's driver is compiled in: it has a modalias in its event alone, which is past.
        if self.devices.has_disks() {
            self.load_with_disks();
        }
        self.devices.all_seen_to();
        loop {
            let modalias = self.devices.queue().wait();
            self.serve(&modalias);
        }
    }

    fn serve(&mut self, modalias: &str) {
        let wanted = self.loader.index().for_modalias(modalias);
        if wanted.is_empty() {
            self.devices.lacks_module(modalias);
        }
        let need = Need::of(modalias);
        let is_usb_controller = need == Need::StickOrKeyboard && modalias.starts_with("pci:");
        if is_usb_controller || need == Need::Disk {
            self.load_with_disks();
        }
        for name in wanted {
            match need {
                Need::Disk => self.load_beside(&name),
                Need::StickOrKeyboard | Need::Other => load(&self.devices, &mut self.loader, &name),
            }
        }
        if is_usb_controller && !mem::replace(&mut self.with_usb, true) {
            self.load_all(WITH_USB);
        }
    }

    fn load_with_disks(&mut self) {
        if !mem::replace(&mut self.with_disks, true) {
            self.load_all(WITH_DISKS);
        }
    }

    fn load_all(&mut self, names: &[&str]) {
        for name in names {
            load(&self.devices, &mut self.loader, &ModuleName::new(name));
        }
    }

    /// In a thread of its own: where a disk holds it, the others go on, each in its turn.
    fn load_beside(&mut self, name: &ModuleName) {
        let (devices, mut loader) = (self.devices.clone(), self.loader.clone());
        let (tell, told) = mpsc::channel();
        let name = name.clone();
        thread::spawn(move || {
            load(&devices, &mut loader, &name);
            let _ = tell.send(loader);
        });
        if let Ok(loader) = told.recv_timeout(HELD) {
            self.loader = loader;
        }
    }
}

fn load(devices: &Devices, loader: &mut Loader, name: &ModuleName) {
    devices.begins_to_load(name);
    let results = loader.load(name);
    for result in results {
        match result {
            Ok(loaded) => {
                tracing::debug!("module {} in {} ms", loaded.name, loaded.took.as_millis());
            }
            Err(error) => devices.complain(error.to_string()),
        }
    }
    devices.has_loaded(name);
}

fn find_modules() -> anyhow::Result<Index> {
    let release = nix::sys::utsname::uname()?
        .release()
        .to_string_lossy()
        .into_owned();
    Ok(Index::read(&Path::new("/lib/modules").join(release))?)
}

/// `module.option=value` words of the kernel command line, by module.
fn parameters(command_line: &str) -> BTreeMap<ModuleName, String> {
    let mut found: BTreeMap<ModuleName, String> = BTreeMap::new();
    for word in command_line.split_whitespace() {
        let Some((module, option)) = word.split_once('.') else {
            continue;
        };
        let is_name = module
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if module == "preflight" || !is_name || option.is_empty() {
            continue;
        }
        let parameters = found.entry(ModuleName::new(module)).or_default();
        if !parameters.is_empty() {
            parameters.push(' ');
        }
        parameters.push_str(option);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_parameters_come_from_the_kernel_command_line() {
        let found = parameters(
            "root=/dev/x usb-storage.delay_use=0 usb_storage.quirks=a:b preflight.mode=off",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[&ModuleName::new("usb_storage")],
            "delay_use=0 quirks=a:b"
        );
    }
}
