//! Every source of a ROM on machines where another one is wrong: the chosen copy is what the flash holds,
//! and the report says why.

use std::fs;

use cards::{
    Bar, BarKind, Capability, CardProfile, Entry, Express, Function, Region, Rom, RomFault, Touch,
    profiles,
};
use pci::{ClassCode, FunctionId, PortType};
use qemu_tests::acpi::{Vfct, VfctImage};
use qemu_tests::{Device, Iommu, Machine, Milestone, Ovmf, Port, ServedCard};
use rom_maker::{EfiImage, RomMaker};

use crate::lab::{Lab, machine, serve};
use crate::session::{ROM_SHADOW, Session, session, session_with};

const VGA: ClassCode = ClassCode(0x03_00_00);
const FIRST: &str = "0000:01:00.0";
const SECOND: &str = "0000:02:00.0";
const THIRD: &str = "0000:03:00.0";
const APU: FunctionId = FunctionId::new(0x1002, 0x1638);
const RX480: FunctionId = FunctionId::new(0x1002, 0x67df);

/// The NVIDIA-like card with every BAR counted.
fn nvidia() -> CardProfile {
    profiles::nvidia_gtx650().change(0, |graphics| {
        graphics.bar(1, Bar::new(BarKind::Prefetchable64, 128 << 20))
    })
}

fn flash(profile: &CardProfile) -> Vec<u8> {
    profile.functions[0].option_rom().unwrap().bytes().to_vec()
}

/// Checks the chosen copy against the flash, and that its file says where it comes from.
fn assert_chosen(session: &Session, address: &str, source: &str, flash: &[u8]) {
    let rom = session.rom(address);
    assert_eq!(rom["state"], "read", "{rom:#}");
    assert_eq!(rom["source"], source, "{rom:#}");
    assert_eq!(rom["verdict"], "good", "{rom:#}");
    let (path, bytes) = session.chosen(address);
    assert!(path.contains(&format!("_{source}_good.rom")), "{path}");
    assert!(
        bytes == flash,
        "{path}: {} bytes, {} in the flash",
        bytes.len(),
        flash.len()
    );
    let sidecar = session.sidecar(&path);
    assert_eq!(sidecar["schema"], "preflight.rom/1");
    assert_eq!(sidecar["why"], rom["why"]);
    assert_eq!(sidecar["sha256"], rom["sha256"]);
}

/// What was written to NVIDIA's shadow register through BAR 0.
fn mirror_writes(card: &ServedCard) -> Vec<u64> {
    let touches = bar_touches(card);
    let writes = touches
        .iter()
        .filter(|entry| matches!(entry.touch, Touch::Write(_)));
    let spans = writes.filter_map(Entry::span);
    let at_mirror = spans.filter(|span| span.offset == 0x8_8050);
    at_mirror.map(|span| span.value).collect()
}

/// Everything that a guest did to BARs, and where.
fn bar_touches(card: &ServedCard) -> Vec<Entry> {
    let entries = card.log().entries().into_iter();
    entries.filter(Entry::is_bar_access).collect()
}

#[test]
fn the_flash_of_an_nvidia_boot_display_is_read_through_its_registers_and_nothing_else_is_touched() {
    let Some(lab) = Lab::open() else { return };
    let card = serve(&nvidia());
    let machine = Machine::q35()
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        })
        .card(Port::RootPort, Device::Card(card.clone()));
    let Some(session) = session(&lab, "rom-prom", machine, &["preflight.prom=yes"]) else {
        return;
    };
    assert_chosen(&session, FIRST, "nvidia-prom", &flash(card.profile()));
    let shadow = session.copy(FIRST, "shadow");
    assert_ne!(shadow["agreement"], "same", "{shadow:#}");
    let why = session.rom(FIRST)["why"].as_str().unwrap();
    assert!(why.starts_with("NVIDIA's PROM window is chosen"), "{why}");
    assert!(why.contains("The legacy copy at 0xC0000"), "{why}");
    let findings = session.result.assessment["findings"].as_array().unwrap();
    assert!(
        !findings
            .iter()
            .any(|finding| finding["id"] == "boot-gpu.shadowed-rom")
    );

    for entry in bar_touches(&card) {
        let span = entry.span().unwrap();
        assert_eq!(
            (entry.function, span.region),
            (0, Region::Bar(0)),
            "{entry}"
        );
        assert_eq!(span.length, 4, "{entry}");
        let known = matches!(span.offset, 0 | 0x8_8000 | 0x8_8050 | 0x30_0000..0x40_0000);
        let is_write = matches!(entry.touch, Touch::Write(_));
        assert!(known && (!is_write || span.offset == 0x8_8050), "{entry}");
    }
    assert_eq!(mirror_writes(&card), [0, 1]);
}

#[test]
fn without_being_asked_no_register_of_an_nvidia_card_is_touched() {
    let Some(lab) = Lab::open() else { return };
    let card = serve(&nvidia());
    let Some(session) = session(&lab, "rom-no-prom", machine(&[&card]), &[]) else {
        return;
    };
    assert_eq!(session.rom(FIRST)["source"], "rom-bar");
    assert_eq!(bar_touches(&card), []);
}

#[test]
fn a_session_that_is_killed_while_it_reads_a_flash_is_put_right_by_the_next() {
    let Some(lab) = Lab::open() else { return };
    let card = serve(&nvidia());
    let options = ["preflight.prom=yes", "preflight.test=prom-crash"];
    let during = |run: &mut qemu_tests::Run| {
        let moment = std::time::Duration::from_secs(60);
        run.wait_text("Preflight stopped unexpectedly", moment)
            .unwrap();
        run.wait_text("try again", moment).unwrap();
        assert_eq!(mirror_writes(&card), [0], "the shadow is still lifted");
        run.type_text("r").unwrap();
        run.wait_milestone(Milestone::Session).unwrap();
    };
    let session = session_with(&lab, "rom-killed", machine(&[&card]), &options, during);
    let Some(session) = session else { return };
    let told = session
        .result
        .messages
        .iter()
        .find(|text| text.contains("was cut off"));
    assert!(
        told.unwrap().contains("put back as it was found"),
        "{told:?}"
    );
    assert_chosen(&session, FIRST, "nvidia-prom", &flash(card.profile()));
    let entries = card.log().entries();
    let writes: Vec<_> = entries
        .iter()
        .filter_map(Entry::config_write)
        .filter(|span| span.offset == ROM_SHADOW)
        .collect();
    assert_eq!(writes.last().unwrap().value, 1, "{writes:?}");
}

/// The whole table has at most 65,535 bytes in QEMU.
fn small(id: FunctionId, efi: bool) -> Vec<u8> {
    let maker = RomMaker::new(id).legacy(0x4000);
    if efi {
        maker.efi(EfiImage::x64().data(0x800).compressed()).build()
    } else {
        maker.build()
    }
}

fn image(bus: u8, id: FunctionId, subsystem: FunctionId, bytes: &[u8]) -> VfctImage {
    VfctImage {
        place: (bus, 0, 0),
        id,
        subsystem,
        revision: 0,
        bytes: bytes.to_vec(),
    }
}

#[test]
fn vfct_gives_the_rom_of_an_apu_and_of_a_card_whose_rom_bar_is_dead_and_an_unstable_flash_none() {
    let Some(lab) = Lab::open() else { return };
    let rx480_rom = small(RX480, true);
    let dead = Rom::new(rx480_rom.clone()).fault(RomFault::AllOnes);
    let dead = profiles::amd_rx480().change(0, |graphics| graphics.rom(dead));
    let apu = Function::new(APU)
        .class(VGA)
        .bar(0, Bar::new(BarKind::Memory32, 64 << 10))
        .capability(Capability::PowerManagement)
        .capability(Capability::Express(Express::new(PortType::Endpoint)));
    let unstable = nvidia().change(0, |graphics| {
        let rom = Rom::new(flash(&nvidia())).bar_size(512 << 10);
        graphics.rom(rom.fault(RomFault::Unstable))
    });
    let cards = [dead, CardProfile::new(vec![apu]), unstable].map(|card| serve(&card));
    let apu_rom = small(APU, false);
    let nothing = FunctionId::new(0, 0);
    let absent = FunctionId::new(0x1002, 0x73bf);
    let table = Vfct {
        images: vec![
            image(0x42, absent, nothing, &small(absent, false)),
            image(2, APU, nothing, &apu_rom),
            image(0, nothing, nothing, &[]),
            image(1, RX480, FunctionId::new(0x1682, 0x9480), &rx480_rom),
            image(0, nothing, nothing, &[]),
        ],
    };
    let table = table.table().write(lab.folder()).unwrap();
    let machine = machine(&cards.each_ref()).acpi_table(&table);
    let Some(session) = session(&lab, "rom-vfct", machine, &["preflight.prom=yes"]) else {
        return;
    };

    assert_chosen(&session, FIRST, "vfct", &rx480_rom);
    let dead = session.copy(FIRST, "rom-bar");
    assert_eq!(
        (&dead["state"], &dead["problem"]),
        (&"failed".into(), &"rom.all-ones".into())
    );
    let why = session.rom(FIRST)["why"].as_str().unwrap();
    assert!(why.contains("The ROM BAR gave no copy"), "{why}");

    assert_chosen(&session, SECOND, "vfct", &apu_rom);
    let (_, kept) = session.chosen("0000:42:00.0");
    assert_eq!(kept, small(absent, false));

    let unstable = session.copy(THIRD, "nvidia-prom");
    assert_eq!(unstable["problem"], "rom.unstable", "{unstable:#}");
    assert_eq!(mirror_writes(&cards[2]), [0, 1], "the shadow is put back");
}

#[test]
fn under_uefi_the_copies_that_firmware_handed_over_are_what_the_flashes_hold() {
    let Some(lab) = Lab::open() else { return };
    let ovmf = match Ovmf::obtain(lab.folder()) {
        Ok(ovmf) => ovmf,
        Err(why) => return qemu_tests::skip(&why.to_string()),
    };
    let vgabios = lab.qemu.data_file("vgabios-stdvga.bin").unwrap();
    let cards = [serve(&profiles::amd_rx480()), serve(&nvidia())];
    let machine = machine(&[&cards[0], &cards[1]]).firmware(ovmf);
    let Some(session) = session(&lab, "rom-stub", machine, &["preflight.prom=yes"]) else {
        return;
    };
    assert_chosen(&session, FIRST, "efi-stub", &flash(cards[0].profile()));
    assert_eq!(session.copy(FIRST, "rom-bar")["agreement"], "same");

    // The kernel looks for the boot display's ROM at 0xC0000, where UEFI puts none.
    let boot_display = "0000:00:02.0";
    assert_eq!(session.rom(boot_display)["source"], "efi-stub");
    assert_eq!(
        session.copy(boot_display, "shadow")["problem"],
        "rom.io-error"
    );
    let (_, bytes) = session.chosen(boot_display);
    let file = fs::read(vgabios).unwrap();
    assert!(
        !bytes.is_empty() && file.starts_with(&bytes),
        "{} bytes",
        bytes.len()
    );

    // Firmware and kernel end a ROM where PCIR does; NVIDIA's own image behind it is in the flash alone.
    let nvidia = flash(cards[1].profile());
    assert_chosen(&session, SECOND, "nvidia-prom", &nvidia);
    let stub = session.copy(SECOND, "efi-stub");
    assert_eq!(
        (&stub["agreement"], &stub["verdict"]),
        (&"part".into(), &"usable".into())
    );
    assert_eq!(
        stub["problems"],
        serde_json::json!(["rom.vendor-tail-missing"])
    );
}

#[test]
fn under_lockdown_the_flash_is_unknown_with_that_reason_and_nothing_is_touched() {
    let Some(lab) = Lab::open() else { return };
    let ovmf = match Ovmf::with_secure_boot(lab.folder()) {
        Ok(ovmf) => ovmf,
        Err(why) => return qemu_tests::skip(&why.to_string()),
    };
    let card = serve(&nvidia());
    let machine = machine(&[&card]).firmware(ovmf);
    let options = ["preflight.prom=yes"];
    let Some(session) = session(&lab, "rom-lockdown", machine, &options) else {
        return;
    };
    let prom = session.copy(FIRST, "nvidia-prom");
    assert_eq!(prom["problem"], "rom.locked-down", "{prom:#}");
    assert!(
        prom["why"].as_str().unwrap().contains("locked down"),
        "{prom:#}"
    );
    assert_eq!(session.rom(FIRST)["source"], "efi-stub");
    assert_eq!(bar_touches(&card), []);
    let entries = card.log().entries();
    let mut writes = entries.iter().filter_map(Entry::config_write);
    assert!(!writes.any(|span| span.offset == ROM_SHADOW));
}
