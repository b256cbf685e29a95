use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// Virtual Channel (7.9.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualChannel {
    /// Port capability 1.
    pub capability: VirtualChannelCapability,
    /// Port capability 2: arbitration in bits 7:0, the table's offset in units of 16 bytes in 31:24.
    pub arbitration: u32,
    /// Port control; arbitration selected in bits 3:1.
    pub control: u16,
    /// Port status; bit 0 is an arbitration table that is being loaded.
    pub status: u16,
    /// The channels, one to eight.
    pub channels: Vec<ChannelResource>,
}

/// One virtual channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelResource {
    /// What it can do.
    pub capability: ChannelCapability,
    /// What is switched on.
    pub control: ChannelControl,
    /// Status; bit 0 is a table that is being loaded, bit 1 a negotiation that is pending.
    pub status: u16,
}

register! {
    /// Port VC capability 1 (7.9.1.2).
    VirtualChannelCapability: u32;
    flags {}
    fields {
        /// Channels besides the first.
        extended_count = 0, 3;
        /// Channels of low priority besides the first.
        low_priority_count = 4, 3;
        /// Reference clock; 0 is 100 ns.
        reference_clock = 8, 2;
        /// Bits of an entry of the port arbitration table, as a power of two.
        entry_size_log2 = 10, 2;
    }
}

register! {
    /// VC resource capability (7.9.1.7).
    ChannelCapability: u32;
    flags {
        /// Requests that are to be snooped are refused.
        reject_snoop = 15;
    }
    fields {
        /// Kinds of port arbitration.
        arbitration = 0, 8;
        /// Time slots, less one.
        last_time_slot = 16, 7;
        /// Offset of the port arbitration table, in units of 16 bytes; 0 is none.
        table_offset = 24, 8;
    }
}

register! {
    /// VC resource control (7.9.1.8).
    ChannelControl: u32;
    flags {
        /// The channel is on.
        enabled = 31;
    }
    fields {
        /// Traffic classes that it carries.
        traffic_classes = 0, 8;
        /// Port arbitration selected.
        arbitration = 17, 3;
        /// Its id.
        id = 24, 3;
    }
}

impl VirtualChannel {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let capability = VirtualChannelCapability(registers.u32(0x04)?);
        let channels = (0..=capability.extended_count() as usize)
            .map(|channel| ChannelResource::read(registers, 0x10 + 12 * channel))
            .collect::<Option<_>>()?;
        Some(Self {
            capability,
            arbitration: registers.u32(0x08)?,
            control: registers.u16(0x0c)?,
            status: registers.u16(0x0e)?,
            channels,
        })
    }
}

impl ChannelResource {
    fn read(registers: Registers<'_>, offset: usize) -> Option<Self> {
        Some(Self {
            capability: ChannelCapability(registers.u32(offset)?),
            control: ChannelControl(registers.u32(offset + 4)?),
            status: registers.u16(offset + 10)?,
        })
    }
}

impl ConfigSpace {
    /// Virtual Channel, under either of its ids. Outer `None`: unknown. Inner `None`: there is none.
    pub fn virtual_channel(&self) -> Option<Option<VirtualChannel>> {
        match self.extended(extended::VIRTUAL_CHANNEL, VirtualChannel::read)? {
            Some(found) => Some(Some(found)),
            None => self.extended(extended::VIRTUAL_CHANNEL_WITH_MFVC, VirtualChannel::read),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn channels_are_read_as_many_as_there_are() {
        let mut registers = [0; 0x30];
        registers[0x00] = 0x01;
        registers[0x10..0x14].copy_from_slice(&[0xff, 0, 0, 0x80]);
        registers[0x1c..0x20].copy_from_slice(&[0x00, 0, 0, 0x01]);
        for id in [0x02, 0x09] {
            let vc = extended(id, &registers).virtual_channel().unwrap().unwrap();
            assert_eq!(vc.channels.len(), 2);
            assert!(vc.channels[0].control.enabled() && !vc.channels[1].control.enabled());
            assert_eq!(vc.channels[0].control.traffic_classes(), 0xff);
            assert_eq!(vc.channels[1].control.id(), 1);
        }
    }
}
