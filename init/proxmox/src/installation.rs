use std::collections::BTreeMap;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::boot::Boot;
use crate::boot::way::{Method, NextBoot};
use crate::disks::{DiskUse, Layout};
use crate::guests::Guests;
use crate::initrd::{InitramfsTool, InitrdContent};
use crate::reader::Trouble;
use crate::settings::Settings;
use crate::system::kernel::KernelFacts;
use crate::system::libvirt::Domain;
use crate::system::logs::LogLine;
use crate::system::network::InterfaceUse;
use crate::system::release::Release;
use crate::system::storage::FstabLine;

/// An installed system as it was read; nothing is judged here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Which system.
    pub release: Release,
    /// Its host name, which is the node's name in Proxmox VE.
    pub node: Reading<String>,
    /// Versions of packages that matter here.
    pub packages: Reading<BTreeMap<String, String>>,
    /// How it starts.
    pub boot: Boot,
    /// Its kernels, the newest first.
    pub kernels: Vec<InstalledKernel>,
    /// What makes its initrds.
    pub initramfs_tool: Reading<InitramfsTool>,
    /// What is set about passthrough.
    pub settings: Settings,
    /// Proxmox VE's guests; absent where it is none.
    pub guests: Reading<Guests>,
    /// libvirt's domains.
    pub domains: Vec<Domain>,
    /// Network interfaces that the configuration names.
    pub network: Vec<InterfaceUse>,
    /// What it mounts when it starts: /etc/fstab, then mount units.
    pub fstab: Vec<FstabLine>,
    /// How its root lies on the disks; absent where nobody looked at the disks.
    pub layout: Reading<Layout>,
    /// What it has on the disks; absent where nobody looked at the disks.
    pub disk_uses: Reading<Vec<DiskUse>>,
    /// Lines of its logs that name a failure of passthrough.
    pub logs: Vec<LogLine>,
    /// What could not be read, or was not whole.
    pub troubles: Vec<Trouble>,
}

/// A kernel, in /boot or on an ESP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledKernel {
    /// `6.8.12-2-pve`.
    pub version: String,
    /// Whether its image is in /boot.
    pub in_boot: bool,
    /// What it can do.
    pub facts: KernelFacts,
    /// Its initrds: that of /boot first, then those on ESPs.
    pub initrds: Vec<InitrdCopy>,
}

/// An initrd in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitrdCopy {
    /// For a person.
    pub path: String,
    /// The ESP it is on, by its place in the list; none for /boot.
    pub esp: Option<usize>,
    /// What it is.
    pub content: Reading<InitrdSeen>,
}

/// An initrd that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitrdSeen {
    /// Bytes, packed.
    pub size: u64,
    /// SHA-256 of the packed bytes, lower-case hex, where it has other copies to be compared with: hashing takes
    /// longer than reading.
    pub sha256: Option<String>,
    /// What is in it.
    pub holds: InitrdContent,
}

impl Installation {
    /// What starts next, each way that can be taken: as the machine was started where that is known.
    pub fn next_boots(&self) -> Vec<(Method, &NextBoot)> {
        let mut found: Vec<(Method, &NextBoot)> = Vec::new();
        for (_, way) in self.boot.ways() {
            if let (Some(method), Some(next)) = (way.method.known(), way.next.known())
                && !found.iter().any(|(_, other)| *other == next)
            {
                found.push((*method, next));
            }
        }
        found
    }

    /// Whether an initrd belongs to a kernel that nothing starts any more ([`EspState::left_over`]): it does not follow
    /// what is in /boot.
    ///
    /// [`EspState::left_over`]: crate::boot::esp::EspState::left_over
    pub fn is_left_over(&self, copy: &InitrdCopy) -> bool {
        let mut methods = self
            .boot
            .ways()
            .into_iter()
            .map(|(_, way)| way.method.known());
        if methods.any(|method| method == Some(&Method::SystemdBoot)) {
            return false;
        }
        let esp = copy.esp.and_then(|index| self.boot.esps.get(index));
        let mut initrds = esp
            .into_iter()
            .flat_map(|esp| esp.left_over())
            .filter_map(|kernel| kernel.initrd.as_deref());
        initrds.any(|path| copy.path.ends_with(path))
    }

    /// A kernel by its version.
    pub fn kernel(&self, version: &str) -> Option<&InstalledKernel> {
        self.kernels.iter().find(|kernel| kernel.version == version)
    }
}
