use pci::{ChannelResource, VirtualChannel};

use super::Expected;

pub fn channels(channels: &VirtualChannel) -> Vec<Expected> {
    let capability = channels.capability;
    let bit = |number: u32| channels.arbitration >> number & 1 != 0;
    let mut lines = vec![
        Expected::line("Caps:")
            .field(format!("LPEVC={}", capability.low_priority_count()))
            .when(capability.reference_clock() == 0, |line| {
                line.field("RefClk=100ns")
            })
            .field(format!(
                "PATEntryBits={}",
                1 << capability.entry_size_log2()
            )),
        Expected::line("Arb:").flags([
            ("Fixed", bit(0)),
            ("WRR32", bit(1)),
            ("WRR64", bit(2)),
            ("WRR128", bit(3)),
        ]),
        Expected::line("Ctrl:").field(format!(
            "ArbSelect={}",
            [
                "Fixed", "WRR32", "WRR64", "WRR128", "??4", "??5", "??6", "??7"
            ][usize::from(channels.control >> 1 & 7)]
        )),
        Expected::line("Status:").flags([("InProgress", channels.status & 1 != 0)]),
    ];
    lines.extend(channels.channels.iter().enumerate().map(channel));
    lines
}

fn channel((number, channel): (usize, &ChannelResource)) -> Expected {
    let (capability, control) = (channel.capability, channel.control);
    let bit = |number: u32| capability.arbitration() >> number & 1 != 0;
    Expected::numbered("VC", format!("VC{number}:"))
        .field(format!("PATOffset={:02x}", capability.table_offset()))
        .field(format!("TC/VC={:02x}", control.traffic_classes()))
        .field(format!("ID={}", control.id()))
        .flags([
            ("RejSnoopTrans", capability.reject_snoop()),
            ("Fixed", bit(0)),
            ("WRR32", bit(1)),
            ("WRR64", bit(2)),
            ("WRR128", bit(3)),
            ("TWRR128", bit(4)),
            ("WRR256", bit(5)),
            ("Enable", control.enabled()),
            ("NegoPending", channel.status & 2 != 0),
            ("InProgress", channel.status & 1 != 0),
        ])
        .field(format!("MaxTimeSlots={}", capability.last_time_slot() + 1))
        .field(format!(
            "ArbSelect={}",
            [
                "Fixed", "WRR32", "WRR64", "WRR128", "TWRR128", "WRR256", "??6", "??7"
            ][control.arbitration() as usize]
        ))
}
