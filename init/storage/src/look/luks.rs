use std::time::Duration;

use super::Look;
use super::mapped::mapped;
use crate::model::{Trouble, VolumeId};
use crate::program::Program;

/// To make a key of a passphrase takes long by design, some times longer on a processor other than the owner's.
const PATIENCE: Duration = Duration::from_secs(180);

impl Look {
    /// Opens a LUKS volume with a passphrase that the person has typed, for reading alone where the look is, and
    /// looks at what is in it. An error says why, such as that no key fits.
    pub fn open_luks(&mut self, id: &VolumeId, passphrase: &[u8]) -> Result<(), Trouble> {
        let failed = |why: &str| Trouble::NotAssembled {
            what: id.to_string(),
            why: why.to_owned(),
        };
        let Some(cryptsetup) = Program::find("cryptsetup") else {
            return Err(Trouble::NoProgram {
                program: "cryptsetup".to_owned(),
                what: id.to_string(),
            });
        };
        let uuid = self
            .storage
            .volume(id)
            .filter(|volume| volume.content.is("crypto_LUKS"))
            .and_then(|volume| volume.content.signature()?.uuid.clone())
            .ok_or_else(|| failed("it is no LUKS volume"))?;
        self.need("crypto_LUKS");
        let node = self
            .node(id)
            .ok_or_else(|| failed("it could not be opened"))?;
        let (node, name) = (node.display().to_string(), format!("opened-{uuid}"));
        let mut words = vec!["open", "--type", "luks"];
        if self.wanted().is_none() {
            words.push("--readonly");
        }
        words.extend(["--disable-keyring", "--key-file=-", &node, &name]);
        let environment = [("DM_DISABLE_UDEV", "1")];
        let output = cryptsetup
            .patience(PATIENCE)
            .run(&words, &environment, Some(passphrase))
            .map_err(|error| failed(&error.to_string()))?;
        if !output.success {
            return Err(failed(&output.complaint));
        }
        let mapped = mapped(&self.options.sys, &self.writable)
            .into_iter()
            .find(|device| device.is_ours && device.name == name)
            .map(|device| device.node())
            .ok_or_else(|| failed("the kernel has no device of what was opened"))?;
        let size = self.size(&mapped);
        self.cover(VolumeId::Opened { uuid }, &mapped, size, None);
        let closed = Trouble::Closed { volume: id.clone() };
        self.storage.troubles.retain(|trouble| *trouble != closed);
        self.discover();
        Ok(())
    }

    /// Names the LUKS volumes that nobody has opened.
    pub(super) fn note_closed(&mut self) {
        let opened = |uuid: &Option<String>| {
            let id = uuid.clone().map(|uuid| VolumeId::Opened { uuid });
            id.is_some_and(|id| self.nodes.contains_key(&id))
        };
        let closed: Vec<Trouble> = self
            .holding("crypto_LUKS")
            .into_iter()
            .filter(|(volume, _)| {
                let known = volume.content.signature();
                known.is_some_and(|known| !opened(&known.uuid))
            })
            .map(|(volume, _)| Trouble::Closed {
                volume: volume.id.clone(),
            })
            .collect();
        self.trouble_all(closed);
    }
}
