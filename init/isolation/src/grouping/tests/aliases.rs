use super::*;

#[test]
fn a_function_that_uses_the_id_of_another_shares_its_group() {
    let below = |functions: Vec<Made>| {
        let port = root_port("00:01.0", 1).acs(ALL, ALL);
        groups(&in_use([port].into_iter().chain(functions)))
    };
    let isolating = |place: &str| endpoint(place).acs(ALL, ALL);
    // Marvell: function 0 uses the id of function 1, whichever of both comes first.
    let marvell = isolating("01:00.0").multifunction().id(0x1b4b, 0x9123);
    assert_eq!(
        below(vec![
            marvell.clone(),
            isolating("01:00.1"),
            isolating("01:00.2")
        ]),
        "00:01.0 | 01:00.0 01:00.1 | 01:00.2"
    );
    // Ricoh: the others use the id of function 0.
    let ricoh = |place: &str| isolating(place).id(0x1180, 0xe832);
    assert_eq!(
        below(vec![
            ricoh("01:00.0").multifunction(),
            ricoh("01:00.1"),
            isolating("01:00.2")
        ]),
        "00:01.0 | 01:00.0 01:00.1 | 01:00.2"
    );
    // A plain function of the same device follows the one whose id is used.
    assert_eq!(
        below(vec![
            isolating("01:00.0").multifunction().id(0x1b4b, 0x9123),
            endpoint("01:00.1"),
            endpoint("01:00.2")
        ]),
        "00:01.0 | 01:00.0 01:00.1 01:00.2"
    );
}

#[test]
fn aliases_across_devices_of_a_bus_join_what_each_device_shares() {
    // The VCA bridge uses functions 0 to 4 of every device number.
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 9).acs(ALL, ALL),
        upstream("01:00.0", 2).buses(2, 9),
        endpoint("02:01.0").id(0x8086, 0x2954),
        downstream("02:02.0", 3).acs(ALL, ALL),
        endpoint("02:03.5").acs(ALL, ALL),
    ]);
    assert_eq!(
        groups(&machine),
        "00:01.0 | 01:00.0 | 02:01.0 02:02.0 | 02:03.5"
    );
    // An alias that IVRS names: the IDE function looks like the SATA device, and takes its own device along.
    let southbridge = in_use([
        conventional("00:11.0"),
        conventional("00:14.0").multifunction(),
        conventional("00:14.1"),
        conventional("00:15.0"),
    ]);
    let named = |from: pci::Address| (short(from) == "00:14.1").then(|| address("00:11.0"));
    let platform = Platform {
        alias: &named,
        ..Platform::default()
    };
    let predictor = Predictor::new(&southbridge, &Override::NONE, &platform);
    assert_eq!(
        text(&predictor.prediction()),
        "00:11.0 00:14.0 00:14.1 | 00:15.0"
    );
    let elsewhere = |from: pci::Address| (short(from) == "00:15.0").then(|| address("01:11.0"));
    let platform = Platform {
        alias: &elsewhere,
        ..Platform::default()
    };
    let predictor = Predictor::new(&southbridge, &Override::NONE, &platform);
    assert_eq!(
        text(&predictor.prediction()),
        "00:11.0 | 00:14.0 00:14.1 | 00:15.0"
    );
}

#[test]
fn what_looks_like_every_function_of_a_bus_takes_all_of_it() {
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 9).acs(ALL, ALL),
        upstream("01:00.0", 2).buses(2, 9),
        downstream("02:02.0", 3).acs(ALL, ALL),
        endpoint("02:03.7").id(0x10b5, 0x87b0),
        endpoint("02:05.0"),
    ]);
    assert_eq!(
        groups(&machine),
        "00:01.0 | 01:00.0 | 02:02.0 02:03.7 02:05.0"
    );
    assert_eq!(
        groups(&in_use([
            root_port("00:01.0", 1).buses(1, 9).acs(ALL, ALL),
            upstream("01:00.0", 2).buses(2, 9),
            endpoint("02:01.7").id(0x10b5, 0x87b0),
            downstream("02:02.0", 3).acs(ALL, ALL),
            endpoint("02:05.0"),
        ])),
        "00:01.0 | 01:00.0 | 02:01.7 02:02.0 02:05.0"
    );
}

#[test]
fn functions_that_use_each_others_ids_share_a_group() {
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 9).acs(ALL, ALL),
        upstream("01:00.0", 2).buses(2, 9),
        endpoint("02:01.0").id(0x8086, 0x2954),
        endpoint("02:02.0").id(0x8086, 0x2955),
    ]);
    assert_eq!(groups(&machine), "00:01.0 | 01:00.0 | 02:01.0 02:02.0");
}

#[test]
fn above_the_bridge_where_translation_sits_nothing_gives_an_alias() {
    // The unit sits behind the bridge, and does not cover the bridge itself.
    let covers = |function: &hardware::Function| short(function.address) != "00:01.0";
    let below = |id: u16| {
        let machine = in_use([
            express("00:01.0", 1, 8).id(0x14e4, id).buses(1, 2),
            root_port("01:00.0", 2).acs(ALL, ALL),
            endpoint("02:00.0"),
        ]);
        let platform = Platform {
            covers: &covers,
            ..Platform::default()
        };
        text(&Predictor::new(&machine, &Override::NONE, &platform).prediction())
    };
    assert_eq!(below(0x9000), "01:00.0 02:00.0");
    assert_eq!(below(0x9084), "01:00.0 02:00.0");
    assert_eq!(below(0x9001), "01:00.0 | 02:00.0");
}
