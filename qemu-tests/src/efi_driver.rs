//! An EFI driver that leaves a mark: built here, started by firmware from an option ROM.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use image_builder::apt::{self, Request};
use image_builder::cache::Cache;
use pci::Address;

/// Counts changes of how it is built.
const FORMAT: u32 = 1;
const SOURCE: &str = include_str!("../efi-driver/mark.c");
/// What the driver writes in front of the address of its function.
const MARK: &str = "option ROM driver of ";

/// Firmware calls with Microsoft's convention, has no C library and no red zone, and can put the driver
/// anywhere.
const COMPILER: &str = "-c -O2 -std=gnu11 -Wall -Wextra -Werror -DGNU_EFI_USE_MS_ABI -ffreestanding -fpic \
     -fshort-wchar -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -mno-red-zone \
     -maccumulate-outgoing-args";
const LINKER: &str = "-nostdlib -znocombreloc -shared -Bsymbolic";
/// The sections that a PE file of a boot service driver (subsystem 0x0b) needs.
const CONVERTER: &str = "-j .text -j .sdata -j .data -j .rodata -j .dynamic -j .dynsym -j .rel* -j .reloc \
     --target efi-bsdrv-x86_64";

/// The driver, a PE file for x64, built with the machine's compiler and Debian's gnu-efi, or taken from
/// the cache. When it starts it writes one line to the debug console
/// ([`Machine::debug_console`](crate::Machine::debug_console)): see [`efi_driver_marks`].
pub fn efi_driver() -> Result<PathBuf> {
    let cache = Cache::open()?;
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let flags = format!("{COMPILER} {LINKER} {CONVERTER}");
    let gnu_efi = apt::cached_tree(&cache, &Request::new(["gnu-efi"]))?.join("usr");
    let inputs = format!("{FORMAT} {flags} {} {release} {SOURCE}", gnu_efi.display());
    let place = cache.entry("efi-driver", inputs, |place| build(&gnu_efi, place))?;
    Ok(place.join("mark.efi"))
}

fn build(gnu_efi: &Path, place: &Path) -> Result<()> {
    let [source, object, library, driver] =
        ["mark.c", "mark.o", "mark.so", "mark.efi"].map(|name| place.join(name));
    fs::write(&source, SOURCE).with_context(|| format!("cannot write {}", source.display()))?;
    let headers = gnu_efi.join("include/efi");
    let libraries = gnu_efi.join("lib");
    run(program("gcc", COMPILER)
        .arg("-isystem")
        .arg(&headers)
        .arg("-isystem")
        .arg(headers.join("x86_64"))
        .arg("-o")
        .args([&object, &source]))?;
    run(program("ld", LINKER)
        .arg("-T")
        .arg(libraries.join("elf_x86_64_efi.lds"))
        .arg("-o")
        .arg(&library)
        .arg(libraries.join("crt0-efi-x86_64.o"))
        .arg(&object)
        .arg(libraries.join("libgnuefi.a")))?;
    run(program("objcopy", CONVERTER).args([&library, &driver]))
}

fn program(name: &str, arguments: &str) -> Command {
    let mut command = Command::new(name);
    command.args(arguments.split_whitespace());
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}; install build-essential"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// The functions from whose ROMs the driver was started, sorted; one that several images of it were started
/// from is named as often. `console` is what the debug console has written. A line that is no mark is an
/// error with that line.
pub fn efi_driver_marks(console: &Path) -> io::Result<Vec<Address>> {
    let at = |why: String| io::Error::other(format!("{}: {why}", console.display()));
    let text = fs::read_to_string(console).map_err(|error| at(error.to_string()))?;
    let mark = |line: &str| {
        let address = line.strip_prefix(MARK).and_then(|rest| rest.parse().ok());
        address.ok_or_else(|| at(format!("'{line}' is no mark of the driver")))
    };
    let mut marks = text.lines().map(mark).collect::<Result<Vec<_>, _>>()?;
    marks.sort();
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(text: &str) -> io::Result<Vec<Address>> {
        let folder = tempfile::tempdir()?;
        let console = folder.path().join("console");
        fs::write(&console, text)?;
        efi_driver_marks(&console)
    }

    #[test]
    fn each_start_of_the_driver_is_counted_for_the_function_that_it_came_from() {
        let text = "option ROM driver of 0000:02:00.0\n\
                    option ROM driver of 0000:01:00.0\n\
                    option ROM driver of 0000:02:00.0\n";
        let addresses = ["01:00.0", "02:00.0", "02:00.0"].map(|text| text.parse().unwrap());
        assert_eq!(marks(text).unwrap(), addresses);
        assert_eq!(marks("").unwrap(), []);
    }

    #[test]
    fn a_driver_that_came_from_no_function_is_an_error_with_its_line() {
        let error = marks("option ROM driver of no function\n").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("'option ROM driver of no function'"),
            "{error}"
        );
    }
}
