use hardware::Function;
use pci::{Address, VendorId};

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const HIDDEN: FindingId = FindingId::new("card.hidden-audio");

pub(super) const RULE: Rule = Rule {
    ids: &[HIDDEN],
    judge,
};

const NVIDIA: VendorId = VendorId(0x10de);
/// The first display with a sound function of its own (GeForce 320M), and the register and bit that show
/// that function, as the kernel's `quirk_nvidia_hda` has them.
const FIRST_WITH_AUDIO: u16 = 0x08a0;
const REGISTER: usize = 0x488;
const SHOWN: u32 = 1 << 25;

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter(|function| is_candidate(function))
        .filter(|function| ctx.function(audio_of(function.address)).is_none())
        .filter_map(|function| {
            let value = function.config.known()?.u32(REGISTER)?;
            // All ones is no register.
            (value & SHOWN == 0).then_some((function.address, value))
        })
        .map(|(address, value)| {
            let summary = "Its sound function is hidden: the function list of this card differs from one \
                           kernel to another.";
            Finding::note(HIDDEN, address, summary)
                .seen(format!("register {REGISTER:#x} of {address} is {value:#010x}: bit 25 is clear"))
                .seen(format!("there is no function {}", audio_of(address)))
                .remedy(
                    "Look again under the kernel that will run the guest, and give the guest every \
                     function that the card has there.",
                )
        })
        .collect()
}

fn is_candidate(function: &Function) -> bool {
    function.class.is_display()
        && function.id.vendor == NVIDIA
        && function.id.device.0 >= FIRST_WITH_AUDIO
        && function.address.function == 0
        && function.physical_function.known().is_none()
}

fn audio_of(display: Address) -> Address {
    Address {
        function: 1,
        ..display
    }
}

#[cfg(test)]
mod tests {
    use hardware::Reading;
    use pci::FunctionId;

    use super::*;
    use crate::Severity;
    use crate::testing::{AUDIO, Builder, GPU, express_with};

    fn nvidia(register: u32) -> Builder {
        Builder::good().change(GPU, |gpu| {
            gpu.id = FunctionId::new(0x10de, 0x139b);
            gpu.config = Reading::Known(express_with(0, &[(REGISTER, register)]));
        })
    }

    #[test]
    fn a_clear_bit_without_a_sound_function_is_a_note() {
        let found = nvidia(0x0100_0000).only(&RULE);
        assert_eq!(found.severity, Severity::Note);
        assert!(found.evidence[1].contains("0000:01:00.1"));
    }

    #[test]
    fn a_set_bit_a_sound_function_or_another_maker_is_no_finding() {
        assert!(nvidia(SHOWN).findings_of(&RULE).is_empty());
        let shown = nvidia(0).add(AUDIO, 0x04_03_00);
        assert!(shown.findings_of(&RULE).is_empty());
        let amd = nvidia(0).change(GPU, |gpu| gpu.id = FunctionId::new(0x1002, 0x73bf));
        assert!(amd.findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_register_that_was_not_read_says_nothing() {
        let machine = nvidia(0).change(GPU, |gpu| {
            gpu.config = Reading::Known(pci::ConfigSpace::new(vec![0; 256]));
        });
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
