use hardware::{Function, Reading};

use super::Step;
use super::command_line::words;
use crate::context::at_least;
use crate::draft::Draft;
use crate::edit::WordEdit;

/// The firmware's framebuffer, which holds a card's memory.
pub(super) const STEP: Step = Step {
    refusals: &[],
    write,
};

fn write(draft: &mut Draft) {
    if draft.ctx.stays_with_host() {
        return;
    }
    let Some(display) = draft.ctx.boot_display() else {
        if draft.ctx.display().is_some() {
            let elsewhere = |function: &Function| function.boot_vga == Reading::Known(true);
            let unknown = !draft.ctx.machine().functions.iter().any(elsewhere)
                && draft.ctx.given.iter().any(|function| {
                    function.class.is_display() && matches!(function.boot_vga, Reading::Unknown(_))
                });
            let reason = if unknown {
                "whether the firmware shows its screen on this card is not known"
            } else {
                "the firmware shows its screen on another card"
            };
            draft.option("framebuffer", ("leave", reason));
        }
        return;
    };
    let reason = format!(
        "the firmware shows its screen on {}, and the kernel's framebuffer would hold its memory",
        display.address
    );
    if draft.option("framebuffer", ("off", &reason)) != "off" {
        return;
    }
    let versions: Vec<&str> = draft.ctx.kernels().collect();
    if versions.iter().any(|version| at_least(version, 5, 15)) || versions.is_empty() {
        let edit = WordEdit::item("initcall_blacklist", "sysfb_init");
        words(
            draft,
            &[edit],
            &format!("initcall_blacklist=sysfb_init: {reason}."),
        );
    }
    if versions.iter().any(|version| !at_least(version, 5, 15)) {
        let edits =
            ["video=efifb:off", "video=vesafb:off"].map(|word| WordEdit::Word(word.to_owned()));
        words(
            draft,
            &edits,
            &format!("video=efifb:off, for kernels before 5.15: {reason}."),
        );
    }
    draft.warnings.push(format!(
        "The host's screen on {} stays dark from the boot loader on: the host shows no boot messages there, and no login.",
        display.address
    ));
}
