use super::*;

#[test]
fn an_id_that_is_vouched_for_isolates_without_the_capability() {
    let vouched = [
        (0x8086, 0x1521, 0),
        (0x8086, 0x10c9, 0),
        (0x1924, 0x0903, 0),
        (0x19a2, 0x0710, 0),
        (0x10df, 0x0720, 0),
        (0x14e4, 0x16d7, 0),
        (0x177d, 0xa026, 0),
        (0x1d17, 0x3038, 0),
        (0x8088, 0x1001, 0),
        (0x17cb, 0x0400, 4),
        (0x1dbf, 0x0401, 4),
        (0x177d, 0xa000, 4),
        (0x10e8, 0xe004, 4),
        (0x1def, 0xe00c, 4),
        (0x14e4, 0xd714, 4),
        (0x0014, 0x3c09, 4),
        (0x1c36, 0x0031, 4),
        (0x1957, 0x8d80, 4),
        (0x1d17, 0x0721, 4),
        (0x1d17, 0x0752, 6),
    ];
    for (vendor, device, kind) in vouched {
        let header = u8::from(kind != 0);
        let made = |device| {
            express("00:05.0", header, kind)
                .multifunction()
                .id(vendor, device)
        };
        let state = state(&in_use([made(device)]), "00:05.0");
        assert_eq!(
            state.isolates(),
            Isolation::Yes,
            "{vendor:04x}:{device:04x}"
        );
        assert!(state.quirk.is_some());
        assert_eq!(alone(made(0xfff0)), Isolation::No, "{vendor:04x}");
    }
    // A vendor's word stands over registers that say otherwise.
    let nic = endpoint("00:05.0")
        .multifunction()
        .id(0x8086, 0x1521)
        .acs(ALL, 0);
    assert_eq!(alone(nic), Isolation::Yes);
}

#[test]
fn a_quirk_for_ports_is_for_no_other_kind() {
    assert_eq!(
        alone(root_port("00:01.0", 1).id(0x1c36, 0x0031)),
        Isolation::Yes
    );
    assert_eq!(
        alone(downstream("00:01.0", 1).id(0x1c36, 0x0031)),
        Isolation::No
    );
    let endpoint = endpoint("00:01.0").multifunction().id(0x177d, 0xa000);
    assert_eq!(alone(endpoint), Isolation::No);
    assert_eq!(
        alone(conventional("00:01.0").id(0x1d17, 0x0721)),
        Isolation::No
    );
}

#[test]
fn other_ports_of_zhaoxin_and_other_devices_of_wangxun_never_isolate() {
    let port = root_port("00:01.0", 1).id(0x1d17, 0x0753).acs(ALL, ALL);
    assert_eq!(alone(port), Isolation::No);
    let endpoint_of_zhaoxin = endpoint("00:01.0").id(0x1d17, 0x0753);
    assert_eq!(alone(endpoint_of_zhaoxin), Isolation::Yes);
    assert_eq!(alone(endpoint("00:01.0").id(0x8088, 0x9999)), Isolation::No);
    // Not even an override is heard after that.
    let machine = in_use([endpoint("00:01.0").id(0x8088, 0x9999)]);
    let by_id = "id:8088:9999".parse().unwrap();
    let state = state_under(&machine, "00:01.0", &by_id);
    assert_eq!((state.isolates(), state.declared_by), (Isolation::No, None));
}

#[test]
fn functions_of_the_root_complex_of_intel_isolate() {
    let made = |vendor| integrated("00:14.0").multifunction().id(vendor, 0xa36d);
    assert_eq!(alone(made(0x8086)), Isolation::Yes);
    assert_eq!(alone(made(0x1022)), Isolation::No);
    assert_eq!(
        alone(conventional("00:14.0").multifunction().id(0x8086, 0xa36d)),
        Isolation::No
    );
    assert!(is_unknown(&alone(made(0x8086).cut(64))));
}

#[test]
fn an_amd_southbridge_isolates_on_a_root_bus_where_there_is_an_amd_iommu() {
    let smbus = || conventional("00:14.0").id(0x1002, 0x4385);
    let with_table = |mut machine: Machine| {
        let tables = BTreeMap::from([("IVRS".to_owned(), Reading::Known(vec![]))]);
        machine.tables = Reading::Known(tables);
        machine
    };
    let of = |machine: Machine| isolates(&machine, "00:14.0");
    assert_eq!(
        of(with_table(in_use([smbus().multifunction()]))),
        Isolation::Yes
    );
    assert_eq!(of(with_table(in_use([smbus()]))), Isolation::No);
    assert_eq!(of(in_use([smbus().multifunction()])), Isolation::No);
    let unit = integrated("00:00.2").class(0x08_06_00);
    assert_eq!(of(in_use([smbus().multifunction(), unit])), Isolation::Yes);
    let mut unread = in_use([smbus().multifunction()]);
    unread.tables = Reading::Unknown("not copied".into());
    assert_eq!(of(unread.clone()), Isolation::Unknown("not copied".into()));
    unread.tables = Reading::Absent;
    assert_eq!(of(unread), Isolation::No);
    let behind_bridge = with_table(in_use([
        conventional_bridge("00:01.0", 1),
        conventional("01:14.0").multifunction().id(0x1002, 0x4385),
    ]));
    assert_eq!(isolates(&behind_bridge, "01:14.0"), Isolation::No);
    for id in [0x7809, 0x780f] {
        let fch = conventional("00:14.0").multifunction().id(0x1022, id);
        assert_eq!(of(with_table(in_use([fch]))), Isolation::Yes, "{id:04x}");
    }
}

#[test]
fn an_intel_chipset_port_without_the_capability_isolates_where_the_chipsets_registers_are_enabled()
{
    let port = || root_port("00:1c.0", 1).id(0x8086, 0x1e10);
    let lpc = |register: u16| conventional("00:1f.0").words(0xf0, &[register, 0xfed1]);
    let of = |functions: Vec<Made>| isolates(&in_use(functions), "00:1c.0");
    assert_eq!(of(vec![port(), lpc(0xc001)]), Isolation::Yes);
    assert_eq!(of(vec![port(), lpc(0xc000)]), Isolation::No);
    assert_eq!(of(vec![port().acs(ALL, ALL), lpc(0xc000)]), Isolation::No);
    assert!(is_unknown(&of(vec![port()])));
    assert!(is_unknown(&of(vec![port(), lpc(0xc001).cut(64)])));
    assert_eq!(
        of(vec![port().id(0x8086, 0x1e20), lpc(0xc001)]),
        Isolation::No
    );
    let fifth = root_port("00:1c.4", 1).id(0x8086, 0x1e18);
    let machine = in_use([fifth, lpc(0xc001)]);
    assert_eq!(isolates(&machine, "00:1c.4"), Isolation::Yes);
    let other_function = conventional("00:1f.2").words(0xf0, &[1]);
    assert!(is_unknown(&of(vec![port(), other_function])));
}

#[test]
fn a_sunrise_point_port_has_its_control_register_two_words_further() {
    // Capability as a double word, then control as one.
    let port = |capability, control| {
        root_port("00:1c.0", 1)
            .id(0x8086, 0xa110)
            .words(0x100, &[0x000d, 0x0001, capability, 0, control, 0])
    };
    let of = |made: Made| state(&in_use([made]), "00:1c.0");
    assert_eq!(of(port(0x0f, 0x0d)).isolates(), Isolation::Yes);
    assert_eq!(of(port(0x0f, 0x0d)).control, Reading::Known(AcsBits(0x0d)));
    assert_eq!(of(port(0x0f, 0x05)).isolates(), Isolation::No);
    assert!(of(port(0x0f, 0x05)).quirk.unwrap().contains("double words"));
    let beside = root_port("00:1c.0", 1).id(0x8086, 0xa10f);
    let beside = beside.words(0x100, &[0x000d, 0x0001, 0x0f, 0, 0x0d, 0]);
    assert_eq!(of(beside).isolates(), Isolation::No);
    let without = of(root_port("00:1c.0", 1).id(0x8086, 0xa110));
    assert_eq!((without.isolates(), without.quirk), (Isolation::No, None));
    let unread = of(port(0x0f, 0x0d).short());
    assert!(is_unknown(&unread.isolates()));
    // With the IOMMU off it is as able as any.
    assert_eq!(
        isolates(&machine([port(0x0f, 0)]), "00:1c.0"),
        Isolation::Yes
    );
}

#[test]
fn a_sunrise_point_port_in_a_listing_shows_no_control() {
    let mut machine = in_use([root_port("00:1c.0", 1).id(0x8086, 0xa110)]);
    let function = &mut machine.functions[0];
    function.config = Reading::Absent;
    function.listing = Reading::Known(hardware::Listing {
        port_type: Reading::Known(PortType::RootPort),
        buses: Reading::Absent,
        acs: Reading::Known(pci::Acs {
            capability: AcsBits(0x0f),
            control: AcsBits(0),
        }),
    });
    let found = isolates(&machine, "00:1c.0");
    let Isolation::Unknown(why) = found else {
        panic!("{found:?}");
    };
    assert!(why.contains("0000:00:1c.0"), "{why}");
}
