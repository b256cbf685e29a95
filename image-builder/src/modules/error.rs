use super::{Kernel, KernelError};

/// A list cannot be satisfied.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    /// The package could not be read.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Entries match nothing.
    #[error(
        "kernel {release} has nothing for these entries of the module list:\n  {}\n\
         Name a folder of modules that were built beside the kernel with --modules-from, or mark an entry \
         that some kernels lack with a ? at its end.",
        entries.join("\n  ")
    )]
    Missing {
        /// The kernel.
        release: String,
        /// The entries, each with its group.
        entries: Vec<String>,
    },
    /// Entries match only what the list itself keeps out.
    #[error(
        "the module list keeps out all that kernel {release} has for these entries of it:\n  {}\n\
         Take the entry out, or the line with a ! before the module's name.",
        entries.join("\n  ")
    )]
    KeptOut {
        /// The kernel.
        release: String,
        /// The entries, each with its group.
        entries: Vec<String>,
    },
    /// The package is incomplete.
    #[error(
        "kernel {release} lacks modules that others depend on:\n  {}\n\
         Are its modules split into several packages? Unpack them into one folder.",
        chains.join("\n  ")
    )]
    Broken {
        /// The kernel.
        release: String,
        /// Chains of names.
        chains: Vec<String>,
    },
    /// The image would have a driver for graphics cards.
    #[error(
        "an image never carries graphics drivers, but the module list leads to:\n  {}\n\
         Take the first module of each chain out of the list, or keep it out with a ! before it. Of an added path, \
         a ? at its end leaves out what leads there.",
        chains.join("\n  ")
    )]
    Graphics {
        /// Chains of names, each with the objection.
        chains: Vec<String>,
    },
}

/// What stands against carrying modules, collected so that a person hears all of it at once.
#[derive(Default)]
pub(super) struct Problems {
    /// Chains of names that end in a graphics driver.
    pub(super) graphics: Vec<String>,
    /// Chains of names that end in a module that is not there.
    pub(super) broken: Vec<String>,
}

impl Problems {
    pub(super) fn append(&mut self, mut more: Self) {
        self.graphics.append(&mut more.graphics);
        self.broken.append(&mut more.broken);
    }

    pub(super) fn into_result(self, kernel: &Kernel) -> Result<(), ClosureError> {
        if !self.graphics.is_empty() {
            return Err(ClosureError::Graphics {
                chains: self.graphics,
            });
        }
        if !self.broken.is_empty() {
            return Err(ClosureError::Broken {
                release: kernel.release().to_owned(),
                chains: self.broken,
            });
        }
        Ok(())
    }
}
