use std::path::PathBuf;

use serde::Serialize;

use super::BuildError;
use crate::image::Level;
use crate::modules::{ADDED, Entry, Kernel, ModuleList, ModuleName};
use crate::tools::Tool;

/// The kernel modules that every image carries.
pub const MODULE_LIST: &str = include_str!("../../../boot-assets/modules.list");

/// What an initramfs is made of.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// A kernel's .deb file, or a folder with `boot/` and `lib/modules/`.
    pub kernel: PathBuf,
    /// Which release, when there are several.
    pub release: Option<String>,
    /// The static program that becomes `/init`.
    pub init: PathBuf,
    /// The text of a module list, see [`ModuleList`].
    pub module_list: String,
    /// More entries, each as on a line of the list.
    pub more_modules: Vec<String>,
    /// Folders with modules that were built for this kernel outside its package, such as ZFS's by DKMS.
    pub module_folders: Vec<PathBuf>,
    /// More programs.
    pub binaries: Vec<Binary>,
    /// Names of [`crate::tools::TOOLS`]. A `?` at its end marks one that the image goes without where the kernel lacks
    /// its modules.
    pub tools: Vec<String>,
    /// The system that programs and libraries are taken from.
    pub system: PathBuf,
    /// Another system for the tools.
    pub tools_system: Option<PathBuf>,
    /// The PCI device names, as text.
    pub pci_ids: Option<PathBuf>,
    /// A static busybox, or the .deb file or unpacked folder of its package.
    pub busybox: Option<PathBuf>,
    /// Processor microcode, see [`crate::microcode::Microcode::open`].
    pub microcode: Vec<PathBuf>,
    /// Where firmware that carried modules ask for is taken from, see [`crate::firmware::Firmware::open`].
    pub firmware: Vec<PathBuf>,
    /// How hard to compress.
    pub level: Level,
    /// The time of all files, in seconds since 1970.
    pub modified: u32,
    /// Where to put the kernel image, when that is wanted too.
    pub kernel_output: Option<PathBuf>,
}

/// A program of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Its path in the system.
    pub path: String,
    /// Its path in the image, when it is another one.
    pub destination: Option<String>,
}

/// An optional tool that an image goes without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub tool: &'static str,
    /// The modules that the kernel lacks.
    pub modules: Vec<&'static str>,
}

impl Recipe {
    /// The least: a kernel, an init, the built-in module list, fast compression, time 0.
    pub fn new(kernel: impl Into<PathBuf>, init: impl Into<PathBuf>) -> Self {
        Self {
            kernel: kernel.into(),
            release: None,
            init: init.into(),
            module_list: MODULE_LIST.to_owned(),
            more_modules: Vec::new(),
            module_folders: Vec::new(),
            binaries: Vec::new(),
            tools: Vec::new(),
            system: PathBuf::from("/"),
            tools_system: None,
            pci_ids: None,
            busybox: None,
            microcode: Vec::new(),
            firmware: Vec::new(),
            level: Level::Fast,
            modified: 0,
            kernel_output: None,
        }
    }

    /// The tools that an image for this kernel carries.
    pub fn tools(&self, kernel: &Kernel) -> Result<Vec<Tool>, BuildError> {
        Ok(self.tools_and_left_out(kernel)?.0)
    }

    /// The optional ones that it goes without, too.
    pub(super) fn tools_and_left_out(
        &self,
        kernel: &Kernel,
    ) -> Result<(Vec<Tool>, Vec<LeftOut>), BuildError> {
        let (mut tools, mut left_out) = (Vec::new(), Vec::new());
        for name in &self.tools {
            let (name, optional) = match name.strip_suffix('?') {
                Some(name) => (name, true),
                None => (name.as_str(), false),
            };
            let tool = Tool::named(name)?;
            let modules = tool.modules.iter().copied();
            let lacking = modules.filter(|name| !kernel.has(&ModuleName::new(name)));
            let modules: Vec<_> = lacking.collect();
            if !optional || modules.is_empty() {
                tools.push(tool);
            } else {
                let tool = tool.name;
                left_out.push(LeftOut { tool, modules });
            }
        }
        Ok((tools, left_out))
    }

    pub(super) fn modules(&self, kernel: &Kernel) -> Result<ModuleList, BuildError> {
        let mut list = ModuleList::parse(&self.module_list)?;
        for text in &self.more_modules {
            list.entries.push(Entry::parse(ADDED, text));
        }
        for tool in self.tools(kernel)? {
            let entries = tool
                .modules
                .iter()
                .map(|name| Entry::parse(tool.name, name));
            list.entries.extend(entries);
        }
        Ok(list)
    }
}
