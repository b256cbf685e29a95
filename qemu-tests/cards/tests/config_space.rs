//! Configuration spaces of cards, in the words of the reader that also reads real ones.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in what its tests share, too"
)]

use cards::{
    Bar, BarKind, Capability, CardProfile, Express, ExtendedCapability, Function, Link,
    ProfileError, Register, Rom, profiles,
};
use pci::{AcsBits, ClassCode, ConfigSpace, DeviceId, FunctionId, HeaderType, PortType};
use proptest::prelude::*;

const ID: FunctionId = FunctionId::new(0x1234, 0x5678);

fn space(card: &CardProfile, number: usize) -> ConfigSpace {
    ConfigSpace::new(card.config_spaces().unwrap()[number].bytes())
}

fn single(function: Function) -> CardProfile {
    CardProfile::new(vec![function])
}

#[test]
fn a_header_says_what_the_profile_says() {
    let card = profiles::nvidia_gtx650();
    let config = space(&card, 0);
    assert_eq!(config.u16(0x00), Some(0x10de));
    assert_eq!(config.u16(0x02), Some(0x0fc6));
    assert_eq!(config.u16(0x2c), Some(0x1043));
    assert_eq!(config.u16(0x2e), Some(0x8428));
    assert_eq!(config.u32(0x08), Some(0x0300_00a1));
    assert_eq!(config.header_type(), Some(HeaderType::Endpoint));
    assert_eq!(config.is_multifunction(), Some(true));
    assert_eq!(space(&card, 1).is_multifunction(), Some(true));
    let alone = single(Function::new(ID).class(ClassCode(0x02_00_00)));
    assert_eq!(space(&alone, 0).is_multifunction(), Some(false));
}

#[test]
fn the_display_in_a_processor_is_a_part_of_the_root_complex_without_an_opregion() {
    let config = space(&profiles::intel_hd630(), 0);
    assert_eq!(config.u32(0x00), Some(0x5912_8086));
    assert_eq!(config.is_multifunction(), Some(false));
    let express = config.capabilities()[0];
    let flags = config.u16(express.offset + 2).unwrap();
    assert_eq!((express.id, flags >> 4 & 0xf), (0x10, 9));
    assert_eq!(config.u32(0xfc), Some(0), "ASLS");
}

#[test]
fn both_capability_lists_keep_the_order_of_the_profile() {
    let config = space(&profiles::amd_rx480(), 0);
    let ids = config
        .capabilities()
        .iter()
        .map(|cap| cap.id)
        .collect::<Vec<_>>();
    assert_eq!(ids, [0x09, 0x01, 0x10, 0x05]);
    let extended = config.extended_capabilities().unwrap();
    let ids: Vec<_> = extended.iter().map(|cap| cap.id).collect();
    assert_eq!(ids, [0x01, 0x03, 0x15, 0x0d, 0x0f, 0x1b]);
    assert_eq!(extended[0].version, 2);
}

#[test]
fn a_function_without_capabilities_has_empty_lists() {
    let config = space(&single(Function::new(ID)), 0);
    assert!(config.capabilities().is_empty());
    assert_eq!(config.extended_capabilities(), Some(vec![]));
}

#[test]
fn acs_reads_back_and_control_takes_only_what_the_function_can_do() {
    let (capability, control) = (AcsBits(0x001d), AcsBits(0x0004));
    let card = single(
        Function::new(ID).extended(ExtendedCapability::AccessControl {
            capability,
            control,
        }),
    );
    let acs = space(&card, 0).acs().unwrap().unwrap();
    assert_eq!((acs.capability, acs.control), (capability, control));

    let mut registers = card.config_spaces().unwrap().remove(0);
    registers.write(0x104, &[0xff; 4]);
    let acs = ConfigSpace::new(registers.bytes()).acs().unwrap().unwrap();
    assert_eq!((acs.capability, acs.control), (capability, capability));
}

#[test]
fn every_port_type_reads_back() {
    for port_type in [
        PortType::Endpoint,
        PortType::LegacyEndpoint,
        PortType::RootPort,
        PortType::UpstreamPort,
        PortType::DownstreamPort,
        PortType::PcieToPciBridge,
        PortType::PciToPcieBridge,
        PortType::RootComplexEndpoint,
        PortType::EventCollector,
    ] {
        let express = Capability::Express(Express::new(port_type));
        let card = single(Function::new(ID).capability(express));
        assert_eq!(space(&card, 0).port_type(), Some(port_type));
    }
}

#[test]
fn the_express_capability_has_reset_and_link() {
    let link = |speed, width| Link { speed, width };
    let express = Express::new(PortType::Endpoint)
        .function_level_reset()
        .link(link(4, 16), link(1, 4));
    let card = single(Function::new(ID).capability(Capability::Express(express)));
    let config = space(&card, 0);
    let at = config.capabilities()[0].offset;
    assert_eq!(config.u32(at + 0x04).unwrap() >> 28 & 1, 1);
    assert_eq!(config.u32(at + 0x0c).unwrap() & 0x3ff, 0x104);
    assert_eq!(config.u16(at + 0x12).unwrap() & 0x3ff, 0x041);
    assert_eq!(config.u32(at + 0x2c).unwrap(), 0x1e);
}

#[test]
fn a_bar_is_sized_by_writing_ones_as_firmware_does() {
    let card = profiles::nvidia_gtx650();
    let mut config = card.config_spaces().unwrap().remove(0);
    let mut sized = |offset: usize| {
        config.write(offset, &[0xff; 4]);
        config.u32(offset)
    };
    assert_eq!(sized(0x10), 0xff00_0000, "16 MiB of 32-bit memory");
    assert_eq!(sized(0x14), 0xf800_000c, "128 MiB, prefetchable, 64 bits");
    assert_eq!(sized(0x18), 0xffff_ffff, "its upper half");
    assert_eq!(sized(0x24), 0xffff_ff81, "128 I/O ports");
    assert_eq!(sized(0x30), 0xfff8_0001, "a ROM BAR of 512 KiB");
    assert_eq!(sized(0x2c), 0x8428_1043, "subsystem ids are read-only");
}

#[test]
fn status_bits_are_cleared_by_ones_and_ids_stay() {
    let card = single(Function::new(ID).capability(Capability::PowerManagement));
    let mut config = card.config_spaces().unwrap().remove(0);
    config.write(0, &[0xff; 8]);
    assert_eq!(config.u32(0), 0x5678_1234);
    assert_eq!(
        config.u32(4),
        0x0010_0547,
        "the capability list stays in status"
    );
}

#[test]
fn sriov_ari_and_a_vendors_capability_are_laid_out() {
    let card = single(
        Function::new(ID)
            .extended(ExtendedCapability::AlternativeRouting { next_function: 1 })
            .extended(ExtendedCapability::SingleRootIov {
                total: 8,
                device: DeviceId(0x1520),
                bar_size: 0x4000,
            })
            .extended(ExtendedCapability::Vendor {
                id: 7,
                revision: 2,
                bytes: vec![1, 2, 3, 4],
            }),
    );
    let config = space(&card, 0);
    let list = config.extended_capabilities().unwrap();
    let ids: Vec<_> = list.iter().map(|cap| cap.id).collect();
    assert_eq!(ids, [0x0e, 0x10, 0x0b]);
    let sriov = list[1].offset;
    assert_eq!(config.u16(sriov + 0x0e), Some(8), "TotalVFs");
    assert_eq!(config.u16(sriov + 0x1a), Some(0x1520), "VF device id");
    assert_eq!(config.u32(list[2].offset + 4), Some(0x00c2_0007));
    assert_eq!(config.u32(list[2].offset + 8), Some(0x0403_0201));
}

#[test]
fn what_no_card_could_be_is_refused_and_says_why() {
    let bar = |size| Bar::new(BarKind::Memory64, size);
    let refused = |function| single(function).config_spaces().unwrap_err();
    let size = refused(Function::new(ID).bar(0, bar(3000)));
    assert!(size.to_string().contains("3000 bytes"), "{size}");
    let index = refused(Function::new(ID).bar(0, bar(4096)).bar(1, bar(4096)));
    assert!(matches!(index, ProfileError::BarIndex { index: 1, .. }));
    let last = refused(Function::new(ID).bar(5, bar(4096)));
    assert!(matches!(last, ProfileError::BarIndex { index: 5, .. }));
    let rom = refused(Function::new(ID).rom(Rom::new(vec![]).bar_size(1000)));
    assert!(matches!(rom, ProfileError::RomSize { size: 1000, .. }));
    let vendor = || Capability::Vendor(vec![0; 120]);
    let full = refused(Function::new(ID).capability(vendor()).capability(vendor()));
    assert_eq!(full, ProfileError::Full { function: 0 });
    let twice = Function::new(ID).register(0x10, Register::fixed(0));
    let twice = refused(twice.register(0x12, Register::fixed(0)));
    assert!(matches!(twice, ProfileError::Overlap { offset: 0x12, .. }));
    let none = CardProfile::new(vec![]).config_spaces().unwrap_err();
    assert_eq!(none, ProfileError::Functions(0));
}

fn any_capability() -> impl Strategy<Value = Capability> {
    prop_oneof![
        Just(Capability::PowerManagement),
        (0_u8..6).prop_map(|vectors_log2| Capability::Msi { vectors_log2 }),
        prop::collection::vec(0_u8.., 0..12).prop_map(Capability::Vendor),
        Just(Capability::Express(Express::new(PortType::Endpoint))),
    ]
}

fn any_extended() -> impl Strategy<Value = ExtendedCapability> {
    prop_oneof![
        Just(ExtendedCapability::AdvancedErrors),
        (0_u64..).prop_map(ExtendedCapability::SerialNumber),
        (0_u16..0x80, 0_u16..0x80).prop_map(|(capability, control)| {
            ExtendedCapability::AccessControl {
                capability: AcsBits(capability),
                control: AcsBits(control),
            }
        }),
        (0_u8..32).prop_map(|queue_depth| ExtendedCapability::AddressTranslation { queue_depth }),
    ]
}

proptest! {
    #[test]
    fn any_lists_read_back_whole(
        capabilities in prop::collection::vec(any_capability(), 0..3),
        extended in prop::collection::vec(any_extended(), 0..20),
    ) {
        let ids: Vec<_> = capabilities.iter().map(Capability::id).collect();
        let extended_ids: Vec<_> = extended.iter().map(|cap| cap.id().0).collect();
        let mut function = Function::new(ID);
        function = capabilities.into_iter().fold(function, Function::capability);
        function = extended.into_iter().fold(function, Function::extended);
        let mut registers = single(function).config_spaces().unwrap().remove(0);
        registers.write(0, &[0xff; 4096]);
        let config = ConfigSpace::new(registers.bytes());
        let found: Vec<_> = config.capabilities().iter().map(|cap| cap.id).collect();
        prop_assert_eq!(found, ids);
        let found = config.extended_capabilities().unwrap_or_default();
        let found: Vec<_> = found.iter().map(|cap| cap.id).collect();
        prop_assert_eq!(found, extended_ids);
    }
}
