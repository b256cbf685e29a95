use crate::kernel_log::messages;
use crate::tree::Tree;
use crate::{Board, FirmwareKind, Reading, Source};

const DMI: &str = "class/dmi/id";

/// What board makers leave in a field that they did not fill in, lower case.
const FILLERS: &[&str] = &[
    "",
    "none",
    "n/a",
    "not applicable",
    "not specified",
    "unknown",
    "default string",
    "system manufacturer",
    "system product name",
    "system serial number",
    "base board serial number",
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "o.e.m.",
    "oem",
    "x.x",
    "0",
];

/// Board and firmware, from DMI.
pub(super) fn board(source: &Source, sys: &Tree) -> Board {
    let folder = sys.folder(DMI);
    let field = |name: &str| match &folder {
        Ok(folder) => match folder.read_text(name) {
            Reading::Known(text) if is_filler(&text) => Reading::Absent,
            Reading::Known(text) => Reading::Known(text.trim().to_owned()),
            other => other,
        },
        Err(error) => source.reading(sys, DMI, Err(error.kind().into())),
    };
    Board {
        system_vendor: field("sys_vendor"),
        product: field("product_name"),
        vendor: field("board_vendor"),
        name: field("board_name"),
        serial: field("board_serial"),
        bios_version: field("bios_version"),
        bios_date: field("bios_date"),
    }
}

/// Whether a field says nothing.
pub(crate) fn is_filler(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    FILLERS.contains(&text.as_str())
}

/// How firmware started the kernel: /sys/firmware/efi, or what the log says. That the folder is not
/// there says something only where the rest of /sys/firmware is there to be compared with.
pub(super) fn firmware(
    source: &Source,
    sys: &Tree,
    log: &Reading<String>,
) -> Reading<FirmwareKind> {
    if sys.has("firmware/efi") {
        return Reading::Known(FirmwareKind::Uefi);
    }
    let entries = sys.list("firmware").unwrap_or_default();
    let whole = if source.is_complete() {
        !entries.is_empty()
    } else {
        entries.iter().any(|name| name != "acpi")
    };
    let log = log.known().map(String::as_str).unwrap_or_default();
    let log_says = |prefix: &str| messages(log).any(|message| message.starts_with(prefix));
    if log_says("efi: EFI v") {
        Reading::Known(FirmwareKind::Uefi)
    } else if whole || (log_says("Linux version ") && log_says("BIOS-provided physical RAM map")) {
        Reading::Known(FirmwareKind::Bios)
    } else {
        Reading::unknown(format!("{} is missing or incomplete", sys.name("firmware")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filler_is_no_name() {
        for text in [
            "To Be Filled By O.E.M.",
            " Default string ",
            "None",
            "System Serial Number",
        ] {
            assert!(is_filler(text), "{text}");
        }
        assert!(!is_filler("B550 AORUS ELITE"));
    }
}
