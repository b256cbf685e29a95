//! Initrds and boot menus, made anew by the installed system's own tools.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use hardware::Reading;
use plan::Plan;
use proxmox::Installation;
use proxmox::initrd::InitramfsTool;
use rehearse::{Ended, InRoot, Told, Tool, same_change};

use super::edits;

/// GRUB's menu in the root.
pub const MENU: &str = "/boot/grub/grub.cfg";
/// Bytes; that of a host with very many kernels is some hundred kilobytes.
pub const LARGEST_MENU: u64 = 16 << 20;
/// Of what a tool printed, so much is in a message.
const SHOWN: usize = 12;

/// The tools of a root, with how long each may take.
pub struct Tools<'a> {
    pub in_root: InRoot<'a>,
    pub limit: Duration,
    /// All that was run.
    pub told: Vec<Told>,
}

/// A tool that is not there or did not do it, with all that the tools have printed. What they do can be done without
/// them.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct ToolFailed {
    why: String,
    /// One that failed is the last.
    pub told: Vec<Told>,
}

/// GRUB's menu as it stands on the disk, and as the tool makes it before anything is changed.
pub struct Menu {
    real: String,
    made: String,
}

/// Whether the menu in the root is read by a way that the plan needs to be refreshed.
pub fn is_needed(plan: &Plan) -> bool {
    let mut methods = plan.needs.boot_files.iter();
    methods.any(|method| !method.has_kernels_on_esp())
}

impl Tools<'_> {
    /// What `update-grub` makes of the settings as they are, where its menu is needed.
    pub fn menu(&mut self, plan: &Plan, say: &mut dyn FnMut(&str)) -> Result<Option<Menu>> {
        if !is_needed(plan) {
            return Ok(None);
        }
        let real = self.text()?;
        self.run(&Tool::UpdateGrub, say)?;
        Ok(Some(Menu {
            real,
            made: self.text()?,
        }))
    }

    /// Makes everything that the plan needs from the files as they are now.
    pub fn make(
        &mut self,
        plan: &Plan,
        installation: &Installation,
        menu: Option<&Menu>,
        say: &mut dyn FnMut(&str),
    ) -> Result<()> {
        for kernel in &plan.needs.initramfs {
            let tool = match &installation.initramfs_tool {
                Reading::Known(InitramfsTool::InitramfsTools) => {
                    Tool::UpdateInitramfs(kernel.clone())
                }
                Reading::Known(InitramfsTool::Dracut) => Tool::Dracut(kernel.clone()),
                Reading::Known(InitramfsTool::Mkinitcpio) => {
                    return Err(self.failed(
                        "its initrds are made by mkinitcpio, which Preflight does not run; --native changes them directly",
                    ));
                }
                Reading::Absent | Reading::Unknown(_) => {
                    return Err(self.failed(
                        "what makes its initrds was not found; --native changes them directly",
                    ));
                }
            };
            self.run(&tool, say)?;
        }
        if let Some(menu) = menu {
            self.run(&Tool::UpdateGrub, say)?;
            let made = self.text()?;
            let merged = same_change(&menu.made, &made, &menu.real).ok_or_else(|| {
                self.failed(&format!(
                    "{MENU} is not what update-grub makes of the settings as they are, so that it cannot be told what to \
                     change in it. Run update-grub on the system first, or --native changes the entries directly"
                ))
            })?;
            edits::put(self.in_root.root, MENU, merged.as_bytes(), None)?;
        }
        Ok(())
    }

    fn text(&self) -> Result<String> {
        let bytes = self.in_root.root.read(MENU, LARGEST_MENU)?;
        String::from_utf8(bytes).with_context(|| format!("{MENU} is no text"))
    }

    fn run(&mut self, tool: &Tool, say: &mut dyn FnMut(&str)) -> Result<()> {
        say(&format!("On overlays: {}", tool.words().join(" ")));
        let told = self
            .in_root
            .run(tool, self.limit, &mut |line| say(&format!("  {line}")))?;
        let ended = told.ended;
        let command = told.command.clone();
        let last: Vec<String> = told.lines.iter().rev().take(SHOWN).rev().cloned().collect();
        self.told.push(told);
        let how = match ended {
            Ended::Status(0) => return Ok(()),
            Ended::Interrupted => bail!("'{command}' was interrupted, and ended"),
            Ended::Status(code) => format!("ended with status {code}"),
            Ended::TooLong => format!(
                "was still running after {} seconds, and was ended",
                self.limit.as_secs()
            ),
        };
        let why = format!(
            "the system's own '{command}' {how}. Mend that first, or --native changes the boot files without it. The last that it printed:\n  {}",
            last.join("\n  ")
        );
        Err(self.failed(&why))
    }

    fn failed(&self, why: &str) -> anyhow::Error {
        let failed = ToolFailed {
            why: why.to_owned(),
            told: self.told.clone(),
        };
        failed.into()
    }
}
