use hardware::{Reading, lspci};
use pci::PortType;

use crate::{at, read};

const POSTED: &str = "\
00:01.1 PCI bridge: Advanced Micro Devices, Inc. [AMD] Starship/Matisse GPP Bridge (prog-if 00 [Normal decode])
\tSubsystem: Advanced Micro Devices, Inc. [AMD] Starship/Matisse GPP Bridge
\tControl: I/O+ Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR- FastB2B- DisINTx+
\tStatus: Cap+ 66MHz- UDF- FastB2B- ParErr- DEVSEL=fast >TAbort- <TAbort- <MAbort- >SERR- <PERR- INTx-
\tIOMMU group: 1
\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0
\tCapabilities: [50] Power Management version 3
\t\tStatus: D0 NoSoftRst- PME-Enable- DSel=0 DScale=0 PME-
\tCapabilities: [58] Express (v2) Root Port (Slot+), MSI 00
\t\tLnkCap:\tPort #0, Speed 16GT/s, Width x16, ASPM L1, Exit Latency L1 <64us
\t\tLnkSta:\tSpeed 8GT/s (downgraded), Width x16 (ok)
\tCapabilities: [2a0 v1] Access Control Services
\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans+
\t\tACSCtl:\tSrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
\tKernel driver in use: pcieport

01:00.0 VGA compatible controller: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB] (rev a1) (prog-if 00 [VGA controller])
\tPhysical Slot: 0
\tIOMMU group: 16
\tRegion 0: Memory at f6000000 (32-bit, non-prefetchable) [size=16M]
\tExpansion ROM at 000c0000 [virtual] [disabled] [size=128K]
\tCapabilities: [60] Power Management version 3
\t\tStatus: D3 NoSoftRst+ PME-Enable- DSel=0 DScale=0 PME-
\tCapabilities: [78] Express (v2) Legacy Endpoint, MSI 00
\tCapabilities: [100 v1] Virtual Channel
\tKernel modules: nouveau
";

/// The same text after what forums and people do to it.
fn mangled() -> Vec<(&'static str, String)> {
    vec![
        ("as it was", POSTED.to_owned()),
        ("tabs lost", POSTED.replace('\t', "")),
        ("tabs as spaces", POSTED.replace('\t', "        ")),
        ("DOS line ends", POSTED.replace('\n', "\r\n")),
        ("empty lines lost", POSTED.replace("\n\n", "\n")),
        (
            "quoted",
            POSTED.lines().map(|line| format!("> {line}\n")).collect(),
        ),
        (
            "with domains",
            POSTED
                .replace("\n01:00", "\n0000:01:00")
                .replacen("00:01.1", "0000:00:01.1", 1),
        ),
        (
            "in a post",
            format!("Hello, my card: does not work.\nStatus: sad\n\n{POSTED}\nThanks!\n"),
        ),
    ]
}

#[test]
fn a_posted_text_is_understood_however_it_was_mangled() {
    let expected = read(POSTED);
    for (how, text) in mangled() {
        assert_eq!(read(&text), expected, "{how}");
    }
    let port = at(&expected, "0000:00:01.1");
    assert_eq!(port.id.to_string(), "1022:1483");
    assert_eq!(port.class.to_string(), "060400");
    assert_eq!(port.port_type(), Reading::Known(PortType::RootPort));
    assert_eq!(port.bridge_buses().known().unwrap().secondary, 1);
    let acs = port.acs();
    let acs = acs.known().unwrap();
    assert_eq!((acs.capability.0, acs.control.0), (0x5f, 0x1d));
    assert_eq!(port.link.known().unwrap().current.speed, 8.0);
    assert_eq!(port.parent, Reading::Absent);

    let card = at(&expected, "0000:01:00.0");
    assert_eq!(card.id.to_string(), "10de:1c02");
    assert_eq!(card.parent, Reading::Known(port.address));
    assert_eq!(
        (card.group.known(), card.slot.known().unwrap().as_str()),
        (Some(&16), "0")
    );
    assert_eq!(card.acs(), Reading::Absent);
    assert_eq!(card.power_state, Reading::Known("D3hot".to_owned()));
    assert_eq!(card.boot_vga, Reading::Known(true));
    assert_eq!(card.driver, Reading::Absent);
    assert_eq!(card.bars.known().unwrap().len(), 1);
    let groups = expected.groups.known().unwrap();
    assert_eq!(
        groups.iter().map(|group| group.id).collect::<Vec<_>>(),
        [1, 16]
    );
}

#[test]
fn what_lspci_was_not_allowed_to_read_is_unknown() {
    let text = "00:01.1 PCI bridge [0604]: AMD [1022:1483]\n\
        \tFlags: bus master, fast devsel, latency 0, IRQ 25\n\
        \tBus: primary=00, secondary=01, subordinate=01, sec-latency=0\n\
        \tCapabilities: <access denied>\n\tKernel driver in use: pcieport\n";
    let machine = read(text);
    let port = at(&machine, "0000:00:01.1");
    for why in [port.port_type().map(|_| ()), port.acs().map(|_| ())] {
        assert!(
            matches!(&why, Reading::Unknown(why) if why.contains("not run as root")),
            "{why:?}"
        );
    }
    assert!(port.link.is_unknown() && port.config.is_unknown());
    assert_eq!(port.bridge_buses().known().unwrap().secondary, 1);
    assert!(machine.groups.is_unknown() && machine.iommu_units.is_unknown());
}

#[test]
fn a_card_that_does_not_answer_is_neither_conventional_nor_without_acs() {
    for below in [
        "",
        "\t!!! Unknown header type 7f\n\tKernel driver in use: vfio-pci\n",
    ] {
        let text = format!(
            "04:00.0 VGA compatible controller [0300]: AMD Baffin [1002:67ff] (rev ff)\n{below}"
        );
        let machine = read(&text);
        let card = at(&machine, "0000:04:00.0");
        assert_eq!(card.id.to_string(), "1002:67ff");
        assert_eq!(card.revision, Reading::Known(0xff));
        assert!(card.port_type().is_unknown() && card.acs().is_unknown());
        assert!(matches!(&card.config, Reading::Unknown(why) if why.contains("all ones")));
        assert!(card.bars.is_unknown() && card.rom_region.is_unknown());
    }
    // A revision of ff with readable registers is a revision.
    let machine = read(
        "04:00.0 VGA [0300]: x [1002:67ff] (rev ff)\n\tCapabilities: [58] Express (v2) Endpoint, MSI 00\n",
    );
    assert_eq!(
        at(&machine, "0000:04:00.0").port_type(),
        Reading::Known(PortType::Endpoint)
    );
}

#[test]
fn one_v_prints_a_capability_without_its_registers() {
    let machine = read(
        "00:1c.0 PCI bridge [0604]: Intel [8086:a290]\n\tFlags: fast devsel, IOMMU group 6\n\
         \tCapabilities: [40] Express Root Port (Slot+), MSI 00\n\
         \tCapabilities: [140] Access Control Services\n",
    );
    let port = at(&machine, "0000:00:1c.0");
    assert_eq!(port.port_type(), Reading::Known(PortType::RootPort));
    assert!(matches!(port.acs(), Reading::Unknown(why) if why.contains("ACSCap")));
}

#[test]
fn a_listing_of_groups_is_a_machine_with_groups_and_little_else() {
    let texts = [
        "IOMMU Group 2:\n\t00:01.0 PCI bridge [0604]: Intel Corporation x [8086:1901] (rev 07)\n\
         \t01:00.0 VGA compatible controller [0300]: NVIDIA y [10de:1d01] (rev a1)\n\
         IOMMU Group 11:\n\t00:1f.6 Ethernet controller [0200]: Intel\nCorporation z [8086:15b8]\n",
        "IOMMU group 2 00:01.0 PCI bridge [0604]: Intel Corporation x [8086:1901] (rev 07)\n\
         IOMMU group 2 01:00.0 VGA compatible controller [0300]: NVIDIA y [10de:1d01] (rev a1)\n\
         IOMMU group 11 00:1f.6 Ethernet controller [0200]: Intel Corporation z [8086:15b8]\n",
        "Group:  2   0000:00:01.0 PCI bridge [0604]: Intel Corporation x [8086:1901] (rev 07)\n\
         Group:  2   0000:01:00.0 VGA compatible controller [0300]: NVIDIA y [10de:1d01] (rev a1)\n\
         Group:  11  0000:00:1f.6 Ethernet controller [0200]: Intel Corporation z [8086:15b8]\n",
    ];
    for text in texts {
        let machine = read(text);
        let groups: Vec<(u32, usize)> = machine
            .groups
            .known()
            .unwrap()
            .iter()
            .map(|group| (group.id, group.functions.len()))
            .collect();
        assert_eq!(groups, [(2, 2), (11, 1)], "{text}");
        assert_eq!(at(&machine, "0000:00:1f.6").id.to_string(), "8086:15b8");
        assert!(at(&machine, "0000:01:00.0").port_type().is_unknown());
        assert!(at(&machine, "0000:01:00.0").parent.is_unknown());
    }
    // A full listing behind it is not in the last group.
    let both = format!("{}\n00:02.0 VGA [0300]: x [8086:1912]\n", texts[0]);
    assert_eq!(at(&read(&both), "0000:00:02.0").group, Reading::Absent);
}

#[test]
fn words_and_hex_of_one_machine_are_put_together() {
    let words = "00:1c.0 PCI bridge [0604]: Intel [8086:a290]\n\tIOMMU group: 6\n\
        \tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00\n\
        \tCapabilities: [140 v1] Access Control Services\n\
        \t\tACSCap: SrcValid+ TransBlk+ ReqRedir+\n\t\tACSCtl: SrcValid+ TransBlk- ReqRedir+\n";
    let hex = "00:1c.0 PCI bridge\n\
        00: 86 80 90 a2 07 04 10 00 f0 00 04 06 10 00 81 00\n\
        10: 00 00 00 00 00 00 00 00 00 02 02 00 f0 00 00 20\n\
        20: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n\
        30: 00 00 00 00 40 00 00 00 00 00 00 00 0b 01 10 00\n";
    for text in [format!("{words}\n{hex}"), format!("{hex}\n{words}")] {
        let machine = read(&text);
        let port = at(&machine, "0000:00:1c.0");
        assert_eq!(port.config.known().unwrap().bytes().len(), 64);
        assert_eq!(port.revision, Reading::Known(0xf0));
        // The dump ends before both: the words say them.
        assert_eq!(port.port_type(), Reading::Known(PortType::RootPort));
        assert_eq!(port.acs().known().unwrap().capability.0, 0x07);
        assert_eq!(port.bridge_buses().known().unwrap().secondary, 2);
        assert_eq!(port.group, Reading::Known(6));
    }
}

#[test]
fn virtual_functions_are_found_by_their_owners_registers() {
    let machine = read(
        "01:00.0 Ethernet [0200]: Intel [8086:10c9]\n\
         \tCapabilities: [a0] Express (v2) Endpoint, MSI 00\n\
         \tCapabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)\n\
         \t\tInitial VFs: 8, Total VFs: 8, Number of VFs: 2, Function Dependency Link: 00\n\
         \t\tVF offset: 128, stride: 2, Device ID: 10ca\n\
         01:10.0 Ethernet [0200]: Intel [8086:10ca]\n\tCapabilities: [a0] Express (v2) Endpoint, MSI 00\n\
         01:10.2 Ethernet [0200]: Intel [8086:10ca]\n\tCapabilities: [a0] Express (v2) Endpoint, MSI 00\n",
    );
    let owner = at(&machine, "0000:01:00.0");
    assert_eq!(owner.total_virtual_functions, Reading::Known(8));
    assert_eq!(owner.enabled_virtual_functions, Reading::Known(2));
    assert_eq!(owner.physical_function, Reading::Absent);
    for address in ["0000:01:10.0", "0000:01:10.2"] {
        assert_eq!(
            at(&machine, address).physical_function,
            Reading::Known(owner.address)
        );
    }
}

#[test]
fn trees_are_passed_over_and_domains_kept() {
    let machine = read(
        "-+-[10000:e0]-+-06.0-[e1]----00.0  Samsung\n \\-[0000:00]-+-00.0  Intel Corporation Device 4660\n\
         \x20            +-06.0-[01]----00.0  KIOXIA\n\n\
         10000:e1:00.0 Non-Volatile memory controller [0108]: Samsung [144d:a80a]\n\
         0000:00:00.0 Host bridge [0600]: Intel [8086:4660]\n",
    );
    let all: Vec<String> = machine
        .functions
        .iter()
        .map(|f| f.address.to_string())
        .collect();
    assert_eq!(all, ["0000:00:00.0", "10000:e1:00.0"]);
}

#[test]
fn a_text_without_functions_says_what_was_expected() {
    let error = lspci::parse("GRUB_CMDLINE_LINUX=\"\"\n", None).unwrap_err();
    assert_eq!(error, lspci::LspciError::NoFunctions);
    assert!(error.to_string().contains("lspci -nnvvvxxxx"));
}

#[test]
fn kernel_messages_in_the_same_post_are_its_log() {
    let machine = read(
        "[    0.000000] Linux version 6.8.12-4-pve (build@proxmox) #1 SMP\n\
         > [    0.551204] AMD-Vi: Interrupt remapping enabled\n\n00:00.0 Host bridge [0600]: x [1022:1480]\n",
    );
    assert_eq!(
        machine.kernel.release,
        Reading::Known("6.8.12-4-pve".to_owned())
    );
    assert_eq!(
        machine.kernel.log.known().unwrap().as_slice(),
        ["AMD-Vi: Interrupt remapping enabled"]
    );
    assert!(
        read("00:00.0 Host bridge [0600]: x [1022:1480]\n")
            .kernel
            .log
            .is_unknown()
    );
}

#[test]
fn the_synthetic_board_has_the_groups_of_the_listing_and_all_that_predicts_them() {
    let machine = read(include_str!(
        "../../../assess/tests/fixtures/b550.lspci.txt"
    ));
    assert_eq!(machine.functions.len(), 42);
    let groups = machine.groups.known().unwrap();
    assert_eq!(groups.len(), 22);
    let members = |id| {
        let group = groups.iter().find(|group| group.id == id).unwrap();
        let members = group
            .functions
            .iter()
            .map(|at| at.to_string()[5..].to_owned());
        members.collect::<Vec<_>>()
    };
    assert_eq!(members(16), ["08:00.0", "08:00.1"]);
    assert_eq!(
        members(15),
        [
            "02:00.0", "02:00.1", "02:00.2", "03:00.0", "03:04.0", "03:08.0", "03:09.0", "04:00.0",
            "04:00.1", "05:00.0", "06:00.0", "07:00.0"
        ]
    );
    let gone = at(&machine, "0000:04:00.0");
    assert_eq!(gone.revision, Reading::Known(0xff));
    for function in machine
        .functions
        .iter()
        .filter(|function| function.address != gone.address)
    {
        assert!(!function.port_type().is_unknown(), "{}", function.address);
        assert!(!function.acs().is_unknown() && !function.bridge_buses().is_unknown());
        assert!(!function.parent.is_unknown(), "{}", function.address);
    }
    assert_eq!(gone.parent.known().unwrap().to_string(), "0000:03:00.0");
    assert_eq!(at(&machine, "0000:08:00.0").boot_vga, Reading::Known(true));
}
