use serde::{Deserialize, Serialize};

use super::milliwatts;
use crate::register::{Registers, register};

/// Slot registers of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressSlot {
    /// What the slot can do.
    pub capabilities: SlotCapabilities,
    /// What is switched on.
    pub control: SlotControl,
    /// What is in it, and what happened.
    pub status: SlotStatus,
}

register! {
    /// Slot capabilities (7.5.3.9).
    SlotCapabilities: u32;
    flags {
        /// An attention button.
        attention_button = 0;
        /// A power controller.
        power_controller = 1;
        /// A manually-operated retention latch.
        retention_latch = 2;
        /// An attention indicator.
        attention_indicator = 3;
        /// A power indicator.
        power_indicator = 4;
        /// A card can be taken out without notice.
        surprise_removal = 5;
        /// A card can be changed while the machine runs.
        hot_plug = 6;
        /// An electromechanical interlock.
        interlock = 17;
        /// The completion of a command is not signalled.
        no_command_completed = 18;
    }
    fields {
        /// Value of the power limit.
        power_value = 7, 8;
        /// Scale of the power limit.
        power_scale = 15, 2;
        /// Physical slot number as 32 bits; [`Self::number`] has it as it is.
        number_bits = 19, 13;
    }
}

impl SlotCapabilities {
    /// Physical slot number, 0 when the slot is soldered.
    pub fn number(self) -> u16 {
        u16::try_from(self.number_bits()).unwrap_or(u16::MAX)
    }

    /// Power that the slot gives, in mW; `None` for more than 600 W.
    pub const fn power_limit_mw(self) -> Option<u32> {
        milliwatts(self.power_value(), self.power_scale())
    }
}

register! {
    /// Slot control (7.5.3.10).
    SlotControl: u16;
    flags {
        /// The attention button interrupts.
        attention_button = 0;
        /// A power fault interrupts.
        power_fault = 1;
        /// The retention latch interrupts.
        retention_latch = 2;
        /// A change of presence interrupts.
        presence = 3;
        /// A completed command interrupts.
        command_completed = 4;
        /// Hot-plug interrupts are on.
        hot_plug_interrupt = 5;
        /// Power is off.
        power_off = 10;
        /// The interlock is toggled.
        interlock = 11;
        /// A change of the link's state interrupts.
        link_state = 12;
    }
    fields {
        /// Attention indicator: 1 on, 2 blinking, 3 off.
        attention_indicator = 6, 2;
        /// Power indicator: 1 on, 2 blinking, 3 off.
        power_indicator = 8, 2;
    }
}

register! {
    /// Slot status (7.5.3.11).
    SlotStatus: u16;
    flags {
        /// The attention button was pressed.
        attention_button = 0;
        /// A power fault.
        power_fault = 1;
        /// The retention latch moved.
        retention_latch_changed = 2;
        /// A card came or went.
        presence_changed = 3;
        /// A command completed.
        command_completed = 4;
        /// The retention latch is open.
        retention_latch_open = 5;
        /// A card is there.
        present = 6;
        /// The interlock is engaged.
        interlock = 7;
        /// The link's state changed.
        link_state_changed = 8;
    }
    fields {}
}

impl ExpressSlot {
    pub(super) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capabilities: SlotCapabilities(registers.u32(0x14)?),
            control: SlotControl(registers.u16(0x18)?),
            status: SlotStatus(registers.u16(0x1a)?),
        })
    }
}
