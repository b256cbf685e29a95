use hardware::Reading;

use super::Step;
use super::command_line::words;
use crate::draft::Draft;
use crate::edit::{WordEdit, module_list};
use crate::plan::Tree;

/// Mediated devices: parts of a device that its own driver makes for guests.
pub(super) const STEP: Step = Step {
    refusals: &["mdev-not-possible"],
    write,
};

/// Names of Intel's kinds: `i915-GVTg_V5_4`.
const GVT: &str = "i915-GVTg";

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    if !ctx.is_asked("mdev") {
        return;
    }
    let kind = draft.option("mdev", ("none", "the guest is given the whole device"));
    for function in &ctx.given {
        match &function.mediated_types {
            Reading::Known(kinds) if !kinds.iter().any(|known| is_kind(known, &kind)) => {
                let evidence = vec![format!("{} offers {}", function.address, kinds.join(", "))];
                draft.refuse("mdev-not-possible", false, "The device's driver offers no such kind.", evidence);
            }
            Reading::Known(_) => {}
            Reading::Absent | Reading::Unknown(_) => draft.warnings.push(format!(
                "Whether {} offers {kind} shows only on the running host, where its driver is loaded.",
                function.address
            )),
        }
    }
    if kind.starts_with(GVT) {
        let edit = WordEdit::item_instead("i915.enable_gvt", "1", &["0"]);
        words(
            draft,
            &[edit],
            "i915.enable_gvt=1: the display's driver makes parts of it for guests.",
        );
        let why = "kvmgt: what makes the parts of Intel's display is not loaded by itself.";
        draft.edit(Tree::Root, "/etc/modules", why, |file| {
            module_list::add(file, &["kvmgt"], &[])
        });
    } else {
        draft.notes.push("The maker's driver for hosts (vGPU) has to be installed on the host; it makes the mediated devices.".to_owned());
    }
}

/// Whether what the driver offers is this kind: by its name, or as NVIDIA's list for virtual functions has it, a number
/// and what a person calls it.
fn is_kind(offered: &str, kind: &str) -> bool {
    let first = offered.split([' ', ':', '\t']).next().unwrap_or_default();
    let number = first.parse::<u32>().ok();
    offered == kind || number.is_some_and(|number| kind == format!("nvidia-{number}"))
}
