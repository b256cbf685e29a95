//! Cards through their sockets, with the client's half of the protocol in QEMU's place.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in what its tests share, too"
)]

use std::time::{Duration, Instant};

use cards::{
    CardError, CardProfile, Entry, Function, Region, Rom, RomFault, RunningCard, Span, Touch,
    profiles,
};
use pci::{ConfigSpace, FunctionId};
use tempfile::TempDir;
use vfio_user::Client;

const BAR_0: u32 = 0;
const BAR_1: u32 = 1;
const BAR_5: u32 = 5;
const ROM: u32 = 6;
const CONFIG: u32 = 7;
/// NVIDIA's PROM and its shadow gate in BAR 0.
const PROM: u64 = 0x30_0000;
const SHADOW: u64 = 0x8_8050;

struct Served {
    card: RunningCard,
    folder: TempDir,
}

fn serve(profile: &CardProfile) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let card = profile.start(folder.path()).unwrap();
    Served { card, folder }
}

impl Served {
    fn client(&self, function: usize) -> Client {
        Client::new(self.card.functions()[function].socket()).unwrap()
    }
}

fn read(client: &mut Client, region: u32, offset: u64, length: usize) -> Vec<u8> {
    let mut data = vec![0; length];
    client.region_read(region, offset, &mut data).unwrap();
    data
}

fn read_u32(client: &mut Client, region: u32, offset: u64) -> u32 {
    u32::from_le_bytes(read(client, region, offset, 4).try_into().unwrap())
}

fn write_u32(client: &mut Client, region: u32, offset: u64, value: u32) {
    let data = value.to_le_bytes();
    client.region_write(region, offset, &data).unwrap();
}

fn rom_of(profile: &CardProfile) -> Vec<u8> {
    profile.functions[0].option_rom().unwrap().bytes().to_vec()
}

#[test]
fn config_space_and_rom_read_as_the_profile_has_them() {
    let profile = profiles::nvidia_gtx650();
    let served = serve(&profile);
    let mut client = served.client(0);
    let config = ConfigSpace::new(read(&mut client, CONFIG, 0, 4096));
    let expected = profile.config_spaces().unwrap()[0].bytes();
    assert_eq!(config.bytes(), expected);
    let rom = rom_of(&profile);
    assert_eq!(read(&mut client, ROM, 0, rom.len()), rom);
    assert_eq!(client.region(ROM).unwrap().size, 512 * 1024);
    assert_eq!(read_u32(&mut served.client(1), CONFIG, 0), 0x0e1b_10de);
}

#[test]
fn every_access_is_logged_with_what_and_where_and_in_order() {
    let served = serve(&profiles::nvidia_gtx650());
    let log = served.card.log().clone();
    let mut client = served.client(0);
    let (mark, before) = (log.mark(), Instant::now());
    read(&mut client, CONFIG, 0x10, 2);
    write_u32(&mut client, CONFIG, 0x30, 0xfe00_0001);
    read(&mut client, ROM, 0x40, 16);
    let entries = log.since(mark);
    let touches: Vec<_> = entries.iter().map(|entry| entry.touch.clone()).collect();
    let span = |region, offset, length, value| Span {
        region,
        offset,
        length,
        value,
    };
    assert_eq!(touches[0], Touch::Read(span(Region::Config, 0x10, 2, 0)));
    let write = span(Region::Config, 0x30, 4, 0xfe00_0001);
    assert_eq!(touches[1], Touch::Write(write));
    assert!(entries[1].config_write().unwrap().touches(0x33, 4));
    let Touch::Read(rom) = touches[2] else {
        panic!("{:?}", touches[2]);
    };
    assert_eq!(
        (rom.region, rom.offset, rom.length),
        (Region::Rom, 0x40, 16)
    );
    assert_eq!(&rom.value.to_le_bytes()[..4], b"PCIR");
    assert_eq!(log.between(before, Instant::now()).len(), 3);
    assert!(!entries.iter().any(Entry::is_bar_access));
    assert!(log.text().contains("fn0 write config 0x30 +4 = 0xfe000001"));
}

#[test]
fn a_touch_of_a_counted_bar_is_seen() {
    let served = serve(&profiles::nvidia_gtx650());
    let mut client = served.client(0);
    assert!(client.region(BAR_0).unwrap().file_offset.is_none());
    assert_eq!(read_u32(&mut client, BAR_0, 0), 0x0e70_00a2);
    let touched = served
        .card
        .log()
        .entries()
        .iter()
        .filter(|e| e.is_bar_access())
        .count();
    assert_eq!(touched, 1);
}

#[test]
fn a_mapped_bar_comes_with_memory_and_no_count() {
    let served = serve(&profiles::nvidia_gtx650());
    let client = served.client(0);
    let region = client.region(BAR_1).unwrap();
    let memory = region.file_offset.as_ref().unwrap();
    assert_eq!(memory.file().metadata().unwrap().len(), 128 << 20);
    assert_eq!(region.sparse_areas.len(), 1);
}

#[test]
fn nvidias_prom_is_behind_its_shadow_gate() {
    let profile = profiles::nvidia_gtx650();
    let served = serve(&profile);
    let mut client = served.client(0);
    assert_eq!(read_u32(&mut client, BAR_0, SHADOW), 1);
    assert_eq!(read_u32(&mut client, BAR_0, PROM), 0);
    write_u32(&mut client, BAR_0, SHADOW, 0);
    let rom = rom_of(&profile);
    assert_eq!(read(&mut client, BAR_0, PROM, rom.len()), rom);
    assert_eq!(read(&mut client, BAR_0, PROM + rom.len() as u64, 1), [0xff]);
    write_u32(&mut client, BAR_0, SHADOW, 1);
    assert_eq!(read_u32(&mut client, BAR_0, PROM), 0);
    let mirror = read(&mut client, BAR_0, 0x8_8000, 256);
    assert_eq!(mirror, read(&mut client, CONFIG, 0, 256));
}

#[test]
fn amds_rom_is_read_by_index_and_data_in_both_ways() {
    let profile = profiles::amd_rx480();
    let rom = rom_of(&profile);
    let words = |client: &mut Client, data| -> Vec<u8> {
        let word = |_| read(client, BAR_5, data, 4);
        (0..64).flat_map(word).collect()
    };
    let served = serve(&profile);
    let mut client = served.client(0);
    write_u32(&mut client, BAR_5, 0xa8, 0x100);
    assert_eq!(words(&mut client, 0xac), rom[0x100..0x200]);
    write_u32(&mut client, BAR_5, 0x6b0, 0xc060_0010);
    write_u32(&mut client, BAR_5, 0x6b4, 0);
    write_u32(&mut client, BAR_5, 0x6b0, 0xc060_0014);
    assert_eq!(words(&mut client, 0x6b4), rom[..0x100]);
}

#[test]
fn an_audio_function_appears_when_its_switch_is_turned_on() {
    let profile = profiles::nvidia_gtx650()
        .change(0, Function::audio_switch)
        .change(1, Function::behind_audio_switch);
    let served = serve(&profile);
    let (mut graphics, mut audio) = (served.client(0), served.client(1));
    let header_type = |client: &mut Client| read(client, CONFIG, 0x0e, 1)[0];
    assert_eq!(read_u32(&mut audio, CONFIG, 0), u32::MAX);
    assert_eq!(header_type(&mut graphics), 0);
    write_u32(&mut graphics, CONFIG, 0x488, 1 << 25);
    assert_eq!(read_u32(&mut audio, CONFIG, 0), 0x0e1b_10de);
    assert_eq!(header_type(&mut graphics), 0x80);
    write_u32(&mut graphics, BAR_0, 0x8_8488, 0);
    assert_eq!(read_u32(&mut audio, CONFIG, 0), u32::MAX);
}

#[test]
fn a_function_level_reset_is_noted_and_clears_registers() {
    let served = serve(&profiles::amd_rx480());
    let mut client = served.client(0);
    let config = ConfigSpace::new(read(&mut client, CONFIG, 0, 4096));
    let express = config
        .capabilities()
        .iter()
        .find(|cap| cap.id == 0x10)
        .unwrap()
        .offset;
    write_u32(&mut client, CONFIG, 0x04, 0x0006);
    let control = read(&mut client, CONFIG, express as u64 + 8, 2);
    client
        .region_write(CONFIG, express as u64 + 8, &[control[0], control[1] | 0x80])
        .unwrap();
    assert_eq!(read(&mut client, CONFIG, 0x04, 2), [0, 0]);
    let resets = served.card.log().entries();
    let resets = resets
        .iter()
        .filter(|entry| entry.touch == Touch::FunctionLevelReset);
    assert_eq!(resets.count(), 1);
}

#[test]
fn a_function_stuck_in_d3_stays_there_and_reads_as_ones() {
    let served = serve(&profiles::nvidia_gtx650().change(0, Function::stuck_in_d3));
    let mut client = served.client(0);
    let config = ConfigSpace::new(read(&mut client, CONFIG, 0, 256));
    let control = config.capabilities()[0].offset as u64 + 4;
    write_u32(&mut client, CONFIG, control, 0);
    assert_eq!(read_u32(&mut client, CONFIG, control) & 3, 3);
    assert_eq!(read_u32(&mut client, BAR_0, 0), u32::MAX);
    assert_eq!(read_u32(&mut client, ROM, 0), u32::MAX);
}

#[test]
fn rom_faults_and_ids_reach_the_reader() {
    let rom = rom_of(&profiles::nvidia_gtx650());
    let with = |rom: Rom| profiles::nvidia_gtx650().change(0, |function| function.rom(rom));
    let unstable = serve(&with(Rom::new(rom.clone()).fault(RomFault::Unstable)));
    let mut client = unstable.client(0);
    let first = read(&mut client, ROM, 0, rom.len());
    assert_ne!(read(&mut client, ROM, 0, rom.len()), first);
    let ones = serve(&with(Rom::new(rom.clone()).fault(RomFault::AllOnes)));
    assert_eq!(read_u32(&mut ones.client(0), ROM, 0), u32::MAX);
    let none = serve(&with(Rom::new(rom.clone()).without_bar()));
    assert_eq!(none.client(0).region(ROM).unwrap().size, 0);
    let from_file = serve(&with(Rom::new(rom.clone()).from_file()));
    let devices = from_file.card.devices("gpu", "port1", 0);
    let file = devices.last().unwrap()["romfile"].as_str().unwrap();
    assert_eq!(std::fs::read(file).unwrap(), rom);
}

#[test]
fn qemu_is_given_function_0_last() {
    let served = serve(&profiles::amd_rx480());
    let devices = served.card.devices("gpu", "port1", 3);
    let addresses: Vec<_> = devices.iter().map(|value| value["addr"].as_str()).collect();
    assert_eq!(addresses, [Some("3.1"), Some("3.0")]);
    assert!(devices.iter().all(|value| value["multifunction"] == true));
    let path = devices[1]["socket"]["path"].as_str().unwrap();
    assert!(path.ends_with("fn0.sock"));
    let alone = serve(&profiles::generic(FunctionId::new(0x1234, 0x1)));
    assert_eq!(
        alone.card.devices("nic", "port2", 0)[0]["multifunction"],
        false
    );
}

#[test]
fn each_client_finds_a_card_that_was_just_powered_on() {
    let served = serve(&profiles::nvidia_gtx650());
    let mut first = served.client(0);
    write_u32(&mut first, CONFIG, 0x10, 0xf000_0000);
    write_u32(&mut first, BAR_0, 0x1000, 42);
    first.shutdown().unwrap();
    let mut second = served.client(0);
    assert_eq!(read_u32(&mut second, CONFIG, 0x10), 0);
    assert_eq!(read_u32(&mut second, BAR_0, 0x1000), 0);
    let entries = served.card.log().entries();
    let ended = Touch::Disconnected { error: None };
    assert!(entries.iter().any(|entry| entry.touch == ended));
}

#[test]
fn a_card_ends_on_drop_and_its_log_stays() {
    let Served { card, folder } = serve(&profiles::nvidia_gtx650());
    let mut client = Client::new(card.functions()[0].socket()).unwrap();
    read(&mut client, CONFIG, 0, 4);
    client.shutdown().unwrap();
    let (log, socket) = (card.log().clone(), card.functions()[0].socket().to_owned());
    let start = Instant::now();
    drop(card);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert!(!socket.exists());
    assert!(log.entries().iter().any(|entry| entry.span().is_some()));
    assert!(profiles::nvidia_gtx650().start(folder.path()).is_ok());
}

#[test]
fn a_card_that_is_still_held_does_not_hold_up_its_drop() {
    let Served { card, folder } = serve(&profiles::generic(FunctionId::new(0x1234, 1)));
    let held = Client::new(card.functions()[0].socket()).unwrap();
    let start = Instant::now();
    drop(card);
    assert!(start.elapsed() < Duration::from_secs(5));
    drop((held, folder));
}

#[test]
fn two_cards_in_one_folder_are_refused_with_what_to_do() {
    let served = serve(&profiles::nvidia_gtx650());
    let error = profiles::nvidia_gtx650()
        .start(served.folder.path())
        .unwrap_err();
    assert!(matches!(error, CardError::Socket { .. }));
    assert!(
        error.to_string().contains("each card needs a folder"),
        "{error}"
    );
}
