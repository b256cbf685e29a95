use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const ONLY_DISPLAY: FindingId = FindingId::new("boot-gpu.only-display");

pub(super) const RULE: Rule = Rule {
    ids: &[ONLY_DISPLAY],
    judge,
};

fn judge(ctx: &Context) -> Vec<Finding> {
    let mut displays = ctx
        .functions()
        .filter(|function| function.class.is_display());
    let (Some(display), None) = (displays.next(), displays.next()) else {
        return Vec::new();
    };
    if display.boot_vga.known() != Some(&true) {
        return Vec::new();
    }
    let summary = "It is the only display: the host has no screen while a guest has this card.";
    vec![
        Finding::note(ONLY_DISPLAY, display.address, summary)
            .seen(format!(
                "boot_vga of {} is 1, and no other function is a display",
                display.address
            ))
            .remedy(
                "Have another way to the host before you start the guest: SSH, the web interface, \
                     or a serial line.",
            ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::Builder;

    #[test]
    fn the_only_display_is_a_note() {
        let found = Builder::good().boot_gpu().only(&RULE);
        assert_eq!(found.severity, Severity::Note);
    }

    #[test]
    fn with_a_second_display_there_is_nothing_to_say() {
        let machine = Builder::good().boot_gpu().add("00:02.0", 0x03_00_00);
        assert!(machine.findings_of(&RULE).is_empty());
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }
}
