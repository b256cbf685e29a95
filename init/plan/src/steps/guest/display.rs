use hardware::Function;
use proxmox::guests::HostPci;

use super::super::rom;
use super::line::is_on;
use crate::draft::Draft;
use crate::edit::EditError;
use crate::edit::guest::GuestFile;

/// What a display's line says beside the others'.
pub(super) fn of_display(
    draft: &mut Draft,
    file: &GuestFile,
    display: &Function,
    legacy: bool,
    held: Option<&HostPci>,
) -> Result<Vec<(&'static str, Option<String>)>, EditError> {
    let mut options = Vec::new();
    let is_set = held.and_then(|held| held.options.get("x-vga"));
    let alone = file.value("vga")?.as_deref() == Some("none");
    let default = if is_set.is_some_and(|value| is_on(value)) {
        ("yes", "the guest's file says so already")
    } else if legacy {
        (
            "no",
            "in legacy mode the card is the guest's display by itself",
        )
    } else if alone {
        ("yes", "the guest has no other display")
    } else {
        (
            "no",
            "the guest keeps its own display beside the card's, so that it can be seen without a screen",
        )
    };
    let primary = draft.option("x-vga", default) == "yes";
    options.push(("x-vga", primary.then(|| "1".to_owned())));
    if legacy {
        options.push(("legacy-igd", Some("1".to_owned())));
    }
    let ovmf = file.value("bios")?.as_deref() == Some("ovmf");
    if let Some(unfit) = rom::seen(draft, display).and_then(|rom| rom::unfit(rom, ovmf)) {
        draft.warnings.push(unfit.to_owned());
    }
    Ok(options)
}

/// Whether legacy mode was asked for and is possible.
pub(super) fn legacy(draft: &mut Draft, q35: bool) -> bool {
    if !draft.ctx.is_asked("igd-legacy") {
        return false;
    }
    draft.option("igd-legacy", ("no", "the guest reaches the integrated display as a second one, without its start being shown"));
    let evidence = match draft.ctx.integrated_display() {
        None => "Intel's integrated display (0000:00:02.0) is not given".to_owned(),
        Some(_) if q35 => {
            "the guest's machine type is q35, and legacy mode needs i440fx (--set machine=i440fx)"
                .to_owned()
        }
        Some(_) => return true,
    };
    draft.refuse(
        "igd-legacy-not-possible",
        false,
        "Legacy mode of Intel's integrated display is not possible so.",
        vec![evidence],
    );
    false
}
