//! Rules of udev that write an attribute of one PCI device (udev(7)).

use hardware::Function;

use super::source::plain;
use super::{EditError, Source};

/// The file that is ours.
pub const OWN: &str = "/etc/udev/rules.d/70-preflight-sriov.rules";

/// Sees to it that udev writes this value to an attribute of the function, each time that a driver has it. A device
/// with other ids at its address is left alone.
///
/// # Errors
/// A rule over several lines, two rules for the attribute, a value that would have to be quoted.
pub fn set(
    file: &[u8],
    function: &Function,
    attribute: &str,
    value: &str,
) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    plain(value)?;
    if let Some(line) = source.lines().find(|line| line.text.ends_with('\\')) {
        return Err(EditError::Continued(line.number));
    }
    let (address, id) = (function.address, function.id);
    // An address is at once its device's name in the kernel. The attribute takes nothing before a driver is there.
    let begin = format!("ACTION==\"add|bind\", SUBSYSTEM==\"pci\", KERNEL==\"{address}\", ");
    let assigns = format!("ATTR{{{attribute}}}=\"");
    let rule = format!(
        "{begin}DRIVER==\"?*\", ATTR{{vendor}}==\"0x{:04x}\", ATTR{{device}}==\"0x{:04x}\", {assigns}{value}\"",
        id.vendor.0, id.device.0
    );
    let is_own = |text: &str| text.starts_with(&begin) && text.contains(&assigns);
    let lines = source.lines().filter(|line| is_own(line.text));
    let spans: Vec<_> = lines.map(|line| line.span()).collect();
    match spans.as_slice() {
        [] => source.append_line(&rule),
        [span] => source.replace(span.clone(), &rule),
        _ => return Err(EditError::Twice(format!("{attribute} of {address}"))),
    }
    Ok(source.print())
}
