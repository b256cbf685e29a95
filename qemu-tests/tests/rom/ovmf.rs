//! Firmware itself as the judge: OVMF starts a driver from a ROM that was built, dumped and mended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use option_rom::{Rom, Verdict};
use pci::Address;
use qemu_tests::{
    Boot, Deadlines, Device, Images, Machine, Milestone, Ovmf, Port, Qemu, Stick, baseline,
    efi_driver, efi_driver_marks, initramfs, skip,
};
use tempfile::TempDir;

/// The card of [`Device::AtiVga`].
const CARD: &str = "1002:5159";
/// Bytes of a flash in front of its first image, as NVIDIA's have them.
const HEADER: usize = 0x600;
const BASELINE: &str = env!("CARGO_BIN_EXE_baseline-init");

/// What the test needs of this machine, and a folder for its files.
struct Bench {
    qemu: Qemu,
    ovmf: Ovmf,
    images: Images,
    deadlines: Deadlines,
    driver: PathBuf,
    folder: TempDir,
}

impl Bench {
    /// The bench, or nothing and the reason printed.
    fn open() -> Option<Self> {
        let opened = || -> anyhow::Result<Self> {
            let images = Images::unpacked().map_err(anyhow::Error::msg)?;
            let qemu = Qemu::obtain()?;
            let deadlines = baseline::deadlines(&qemu, &images.kernel, Path::new(BASELINE))
                .map_err(|failure| anyhow::anyhow!("{failure}"))?;
            let folder = tempfile::tempdir()?;
            Ok(Self {
                ovmf: Ovmf::obtain(folder.path())?,
                driver: efi_driver()?,
                qemu,
                images,
                deadlines,
                folder,
            })
        };
        opened().map_err(|why| skip(&format!("{why:#}"))).ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The image's own init, which is the whole command line, taken out of the image.
    fn preflight(&self) -> Preflight<'_> {
        let image = fs::read(&self.images.initramfs).unwrap();
        let entries = initramfs::read(&image).unwrap();
        let init = entries.into_iter().find(|entry| entry.name == "init");
        let program = self.write("preflight", &init.unwrap().bytes);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Preflight {
            bench: self,
            program,
        }
    }

    /// A machine whose firmware writes marks into a file of this name, with a boot display and one card for
    /// each of these ROMs: 01:00.0, 02:00.0 and so on.
    fn machine(&self, marks: &str, roms: &[&Path]) -> Machine {
        let machine = Machine::q35()
            .firmware(self.ovmf.clone())
            .debug_console(&self.path(marks))
            .display(Device::StandardVga);
        roms.iter().fold(machine, |machine, rom| {
            let rom = rom.to_path_buf();
            machine.card(Port::RootPort, Device::AtiVga { rom })
        })
    }

    fn marks(&self, name: &str) -> Vec<String> {
        let marks = efi_driver_marks(&self.path(name)).unwrap();
        marks.iter().map(Address::to_string).collect()
    }

    /// What a session saves of the flash of the card at 01:00.0, and where the firmware started the driver.
    fn dump(&self, rom: &Path) -> (Vec<u8>, Vec<String>) {
        let stick = Stick::new(self.folder.path()).unwrap();
        let machine = self.machine("flash.marks", &[rom]).stick(&stick);
        let mut run = Boot::new("rom-driver-flash", &self.images, machine)
            .deadlines(self.deadlines)
            .option("preflight.end=poweroff")
            .start(&self.qemu)
            .unwrap();
        let saved = run.result().unwrap().saved.unwrap();
        run.wait_end().unwrap();
        let mut files = saved.files.iter();
        let chosen = files.find(|file| {
            file.path.starts_with("roms/0000-01-00.0_") && file.path.ends_with(".rom")
        });
        let path = format!("{}/{}", saved.folder, chosen.unwrap().path);
        (stick.file(&path).unwrap(), self.marks("flash.marks"))
    }

    /// Where the firmware starts the driver on cards with these ROMs.
    fn starts(&self, roms: &[&Path]) -> Vec<String> {
        let initramfs = self.write(
            "baseline.img",
            &baseline::image(Path::new(BASELINE)).unwrap(),
        );
        let images = Images {
            initramfs,
            ..self.images.clone()
        };
        let machine = self.machine("files.marks", roms);
        let mut run = Boot::new("rom-driver-files", &images, machine)
            .deadlines(self.deadlines)
            .start(&self.qemu)
            .unwrap();
        run.wait_milestone(Milestone::Init).unwrap();
        run.wait_end().unwrap();
        self.marks("files.marks")
    }
}

struct Preflight<'a> {
    bench: &'a Bench,
    program: PathBuf,
}

impl Preflight<'_> {
    /// The file of this name that `preflight rom` makes with these arguments.
    fn rom(&self, name: &str, arguments: &[&Path]) -> PathBuf {
        let out = self.bench.path(name);
        let output = Command::new(&self.program)
            .arg("rom")
            .args(arguments)
            .arg("-o")
            .arg(&out)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        out
    }

    fn build(&self, name: &str, drivers: &[&Path]) -> PathBuf {
        let start = ["build", "--device", CARD].map(Path::new);
        self.rom(name, &[&start[..], drivers].concat())
    }
}

/// With the second of its images, which is compressed, no longer to be unpacked.
fn damaged(rom: &[u8]) -> Vec<u8> {
    let mut bytes = rom.to_vec();
    let image = Rom::parse(rom).images[1].clone();
    let packed = image.offset + image.efi.unwrap().pe_offset;
    // What the Huffman codes begin with, behind the two lengths.
    bytes[packed + 8..packed + 40].fill(0);
    bytes
}

#[test]
fn firmware_starts_a_driver_from_a_flash_and_again_from_the_dump_of_it_when_that_is_mended() {
    let Some(bench) = Bench::open() else { return };
    let preflight = bench.preflight();
    let (efi, compress) = (Path::new("--efi"), Path::new("--compress"));
    let driver = bench.driver.as_path();
    let built = preflight.build("built.rom", &[efi, driver, efi, driver, compress]);
    let flash = fs::read(&built).unwrap();

    let (dumped, marks) = bench.dump(&built);
    assert_eq!(marks, ["0000:01:00.0"; 2], "plain and compressed");
    assert!(dumped == flash, "{} of {} bytes", dumped.len(), flash.len());

    let mut wrapped = b"NVGI".to_vec();
    wrapped.resize(HEADER, 0);
    wrapped.extend(&dumped);
    wrapped.resize((HEADER + dumped.len()).next_power_of_two(), 0xff);
    let wrapped = bench.write("wrapped.rom", &wrapped);
    let mended = preflight.rom("mended.rom", &[Path::new("mend"), &wrapped]);
    assert!(fs::read(&mended).unwrap() == flash);

    let damaged = damaged(&flash);
    assert_eq!(Rom::parse(&damaged).verdict, Verdict::Bad);
    let damaged = bench.write("damaged.rom", &damaged);
    // In a ROM BAR of 2 KiB, which EDK2 takes for none.
    let small = preflight.build("small.rom", &[efi, driver, compress]);
    assert!(fs::metadata(&small).unwrap().len() <= 2048);

    let marks = bench.starts(&[&mended, &wrapped, &damaged, &small]);
    assert_eq!(marks, ["0000:01:00.0", "0000:01:00.0", "0000:03:00.0"]);
}
