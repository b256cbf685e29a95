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
    let default = if legacy {
        (
            "no",
            "in legacy mode the card is the guest's display by itself",
        )
    } else if is_set.is_some_and(|value| is_on(value)) {
        ("yes", "the guest's file says so already")
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

/// Whether legacy mode was asked for and is possible: Proxmox VE does not start a guest where that is not so
/// (PVE::QemuServer::PCI, print_hostpci_devices).
pub(super) fn legacy(draft: &mut Draft, file: &GuestFile, q35: bool) -> Result<bool, EditError> {
    if !draft.ctx.is_asked("igd-legacy") {
        return Ok(false);
    }
    draft.option("igd-legacy", ("no", "the guest reaches the integrated display as a second one, without its start being shown"));
    let mut evidence = Vec::new();
    if draft.ctx.integrated_display().is_none() {
        evidence.push("Intel's integrated display (0000:00:02.0) is not given");
    }
    if q35 {
        evidence.push(
            "the guest's machine type is q35, and legacy mode needs i440fx (--set machine=i440fx)",
        );
    }
    if draft.ctx.asked("x-vga") == Some("yes") {
        evidence.push("x-vga=yes is asked for, which Proxmox VE does not take beside it");
    }
    if draft.ctx.asked("rombar") == Some("no") {
        evidence.push("rombar=no is asked for, and legacy mode needs the card's ROM");
    }
    if !evidence.is_empty() {
        draft.refuse(
            "igd-legacy-not-possible",
            false,
            "Legacy mode of Intel's integrated display is not possible so.",
            evidence.into_iter().map(str::to_owned).collect(),
        );
        return Ok(false);
    }
    if file.value("bios")?.as_deref() == Some("ovmf") {
        draft.warnings.push(
            "The guest's firmware is OVMF, and legacy mode shows nothing of its start but with SeaBIOS (--set bios=seabios)."
                .to_owned(),
        );
    }
    Ok(true)
}

/// The OpRegion of Intel's integrated display, which the guest is given by this line.
pub(super) fn opregion(
    draft: &mut Draft,
    file: &mut GuestFile,
    key: &str,
) -> Result<(), EditError> {
    let device = format!("device.{key}");
    let wanted = format!("-set {device}.x-igd-opregion=on -set {device}.x-igd-gms=0x2");
    match file.value("args")? {
        Some(old) if old.contains(&format!("{device}.x-igd-opregion")) => Ok(()),
        Some(old) => {
            if old.contains(".x-igd-opregion") {
                draft.warnings.push(format!(
                    "The guest's args set an OpRegion for another device than {key}: if the guest does not have it any more, it \
                     does not start before they are taken away."
                ));
            }
            file.set("args", &format!("{old} {wanted}"))
        }
        None => file.set("args", &wanted),
    }
}
