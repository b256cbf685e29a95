//! What is set in an installed system that decides about passthrough, each with its file and line.

mod driver_override;
mod grub_defaults;
mod key_value;
mod modprobe;
mod module_list;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::command_line::CommandLine;
use crate::place::Setting;
use crate::reader::Reader;

pub use driver_override::DriverOverride;
pub use grub_defaults::{GrubDefaults, GrubVariable};
pub use key_value::KeyValue;
pub use modprobe::{ModprobeDirective, ModprobeFile, parse_modprobe};
pub use module_list::{ListedModule, ModuleList, parse_module_list};

/// Everything under /etc that decides about passthrough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// /etc/default/grub and what is sourced after it.
    pub grub: Reading<GrubDefaults>,
    /// /etc/kernel/cmdline, which proxmox-boot-tool gives to systemd-boot.
    pub kernel_cmdline: Reading<KernelCmdline>,
    /// modprobe.d, those files that hold: one in /etc hides one of its name in /usr/lib.
    pub modprobe: Vec<ModprobeFile>,
    /// Modules that are loaded at boot or put into the initrd.
    pub modules: Vec<Setting<ListedModule>>,
    /// sysctl.d, only what speaks of passthrough or its memory.
    pub sysctl: Vec<Setting<KeyValue>>,
    /// sysfs.conf and sysfs.d, of sysfsutils.
    pub sysfs: Vec<Setting<KeyValue>>,
    /// driverctl.d, and udev rules that set driver_override.
    pub driver_overrides: Vec<Setting<DriverOverride>>,
}

/// /etc/kernel/cmdline. Only its first line is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelCmdline {
    /// The first line.
    pub command_line: CommandLine,
    /// Lines that are not empty.
    pub lines: usize,
}

impl KernelCmdline {
    fn parse(text: &str) -> Self {
        Self {
            command_line: CommandLine::from(text.lines().next().unwrap_or_default()),
            lines: text.lines().filter(|line| !line.trim().is_empty()).count(),
        }
    }
}

/// Where /etc/kernel/cmdline is.
pub const KERNEL_CMDLINE: &str = "/etc/kernel/cmdline";

impl Settings {
    pub(crate) fn read(reader: &Reader) -> Self {
        Self {
            grub: GrubDefaults::read(reader),
            kernel_cmdline: reader
                .text(KERNEL_CMDLINE)
                .map(|text| KernelCmdline::parse(&text)),
            modprobe: modprobe::read(reader),
            modules: module_list::read(reader),
            sysctl: key_value::read_sysctl(reader),
            sysfs: key_value::read_sysfs(reader),
            driver_overrides: driver_override::read(reader),
        }
    }
}
