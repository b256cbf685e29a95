//! A bzImage whose kernel needs no unpacking: an emulated processor spends four of the nine seconds of a boot on that.
//!
//! What firmware is asked for comes from the kernel's own code in real mode, as always. Its decompressor is replaced by
//! the few instructions that it ends with: to long mode, and to the kernel's 64-bit entry
//! (Linux, Documentation/arch/x86/boot.rst). As with `nokaslr`, the kernel lies where it was linked to.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use goblin::elf::{Elf, program_header::PT_LOAD};

/// Where code for protected mode is loaded to.
const BASE: u64 = 0x10_0000;
const TABLE_OF_SEGMENTS: u64 = BASE + 0x800;
const SEGMENTS_REGISTER: u64 = BASE + 0x900;
/// Three levels of page tables, a page each, and four pages of the last one.
const PAGE_TABLES: [u64; 3] = [BASE + 0x1000, BASE + 0x2000, BASE + 0x3000];
const PAGE: u64 = 0x1000;
/// No kernel of a distribution is larger.
const LARGEST: u64 = 256 << 20;

/// Segments that the kernel's 64-bit entry wants: code at 0x10, data at 0x18.
const SEGMENTS: [u64; 4] = [0, 0, 0x00af_9a00_0000_ffff, 0x00cf_9200_0000_ffff];
const PRESENT_AND_WRITABLE: u64 = 0b11;
const LARGE_PAGE: u64 = 1 << 7;

/// This bzImage, unpacked; none where its kernel is packed in a way that is not known here.
pub(crate) fn unpacked(image: &[u8]) -> Result<Option<Vec<u8>>> {
    let setup = setup_length(image)?;
    let start = setup + long(image, 0x248)?;
    let payload = image.get(start..start + long(image, 0x24c)?);
    let Some(kernel) = plain(payload.context("its kernel is cut off")?)? else {
        return Ok(None);
    };
    let mut protected = loaded(&kernel)?;
    let entry = Elf::parse(&kernel)?.entry;
    write_at(&mut protected, BASE, &to_long_mode(entry)?)?;
    write_tables(&mut protected)?;
    protected.resize(protected.len().next_multiple_of(16), 0);

    let mut unpacked = image[..setup].to_vec();
    let paragraphs = u32::try_from(protected.len() / 16)?;
    unpacked[0x1f4..0x1f8].copy_from_slice(&paragraphs.to_le_bytes());
    unpacked.append(&mut protected);
    Ok(Some(unpacked))
}

/// Bytes of the code for real mode, with the header of the boot protocol.
fn setup_length(image: &[u8]) -> Result<usize> {
    ensure!(image.get(0x202..0x206) == Some(b"HdrS"), "no bzImage");
    let protocol = image.get(0x206..).and_then(<[u8]>::first_chunk);
    ensure!(
        protocol.is_some_and(|version| u16::from_le_bytes(*version) >= 0x208),
        "its boot protocol does not say where the kernel is"
    );
    let sectors = match image[0x1f1] {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let length = (sectors + 1) * 512;
    ensure!(image.len() >= length, "it is cut off");
    Ok(length)
}

fn long(image: &[u8], at: usize) -> Result<usize> {
    let bytes = image.get(at..).and_then(<[u8]>::first_chunk);
    Ok(u32::from_le_bytes(*bytes.context("it is cut off")?) as usize)
}

/// The kernel (ELF); four bytes with its length follow what is packed.
fn plain(payload: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut kernel = Vec::new();
    if payload.starts_with(b"\xfd7zXZ\0") {
        liblzma::bufread::XzDecoder::new(payload)
            .take(LARGEST)
            .read_to_end(&mut kernel)?;
    } else if payload.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::Decoder::with_buffer(payload)?.single_frame();
        decoder.window_log_max(31)?;
        decoder.take(LARGEST).read_to_end(&mut kernel)?;
    } else {
        return Ok(None);
    }
    Ok(Some(kernel))
}

/// Memory from [`BASE`] on with the kernel in its place.
fn loaded(kernel: &[u8]) -> Result<Vec<u8>> {
    let elf = Elf::parse(kernel)?;
    let mut memory = Vec::new();
    for part in elf
        .program_headers
        .iter()
        .filter(|part| part.p_type == PT_LOAD)
    {
        let end = part.p_paddr.saturating_add(part.p_filesz);
        ensure!(
            part.p_paddr >= PAGE_TABLES[2] + 4 * PAGE && end <= LARGEST,
            "it has a segment at {:#x}, where none is expected",
            part.p_paddr
        );
        let content = kernel.get(part.file_range()).context("it is cut off")?;
        let end = usize::try_from(end - BASE)?;
        memory.resize(memory.len().max(end), 0);
        write_at(&mut memory, part.p_paddr, content)?;
    }
    ensure!(!memory.is_empty(), "it has no segments");
    Ok(memory)
}

/// The first 4 GiB one to one, in pages of 2 MiB.
fn write_tables(memory: &mut [u8]) -> Result<()> {
    let [first, second, third] = PAGE_TABLES;
    let table = |entries: &[u64]| -> Vec<u8> {
        entries
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect()
    };
    let pages: Vec<u64> = (0..2048)
        .map(|page| page << 21 | LARGE_PAGE | PRESENT_AND_WRITABLE)
        .collect();
    let folders = [0, 1, 2, 3].map(|number| (third + number * PAGE) | PRESENT_AND_WRITABLE);
    write_at(memory, first, &table(&[second | PRESENT_AND_WRITABLE]))?;
    write_at(memory, second, &table(&folders))?;
    write_at(memory, third, &table(&pages))?;
    write_at(memory, TABLE_OF_SEGMENTS, &table(&SEGMENTS))?;
    let limit = u16::try_from(size_of_val(&SEGMENTS) - 1)?.to_le_bytes();
    write_at(memory, SEGMENTS_REGISTER, &limit)?;
    write_at(
        memory,
        SEGMENTS_REGISTER + 2,
        &TABLE_OF_SEGMENTS.to_le_bytes(),
    )
}

fn write_at(memory: &mut [u8], address: u64, bytes: &[u8]) -> Result<()> {
    let at = usize::try_from(address - BASE)?;
    let Some(place) = memory.get_mut(at..at + bytes.len()) else {
        bail!("nothing is loaded to {address:#x}");
    };
    place.copy_from_slice(bytes);
    Ok(())
}

/// Instructions that lead from the 32-bit entry to this 64-bit one; ESI, the boot parameters, stays.
#[rustfmt::skip]
fn to_long_mode(entry: u64) -> Result<Vec<u8>> {
    let address = |address: u64| Ok::<_, anyhow::Error>(u32::try_from(address)?.to_le_bytes());
    let mut code: Vec<u8> = [
        &[0xfa][..],                                            // cli
        &[0x0f, 0x01, 0x15], &address(SEGMENTS_REGISTER)?,      // lgdt [SEGMENTS_REGISTER]
        &[0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x20, 0x0f, 0x22, 0xe0], // cr4 |= PAE
        &[0xb8], &address(PAGE_TABLES[0])?, &[0x0f, 0x22, 0xd8], // cr3 = PAGE_TABLES
        &[0xb9, 0x80, 0x00, 0x00, 0xc0],                        // ecx = IA32_EFER
        &[0x0f, 0x32, 0x0f, 0xba, 0xe8, 0x08, 0x0f, 0x30],      // rdmsr; bts eax, LME; wrmsr
        &[0x0f, 0x20, 0xc0, 0x0f, 0xba, 0xe8, 0x1f, 0x0f, 0x22, 0xc0], // cr0 |= PG
    ]
    .concat();
    let behind_the_jump = address(BASE + code.len() as u64 + 7)?;
    code.extend([
        &[0xea][..], &behind_the_jump, &[0x10, 0x00],           // jmp 0x10:behind_the_jump
        &[0xb8, 0x18, 0x00, 0x00, 0x00],                        // eax = 0x18
        &[0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0],                  // ds = es = ss = ax
        &[0xb8], &address(entry)?, &[0xff, 0xe0],               // jmp entry
    ]
    .concat());
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_is_named_and_not_read_beyond_its_end() {
        let mut image = vec![0; 0x400];
        assert_eq!(unpacked(&image).unwrap_err().to_string(), "no bzImage");
        image[0x202..0x208].copy_from_slice(b"HdrS\x07\x02");
        assert!(unpacked(&image).is_err());
        image[0x206] = 8;
        assert_eq!(unpacked(&image).unwrap_err().to_string(), "it is cut off");
        image.resize(5 * 512, 0);
        image[0x24c] = 1;
        let error = unpacked(&image).unwrap_err().to_string();
        assert_eq!(error, "its kernel is cut off");
        image.push(0);
        assert_eq!(unpacked(&image).unwrap(), None);
    }
}
