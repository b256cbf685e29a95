//! ACPI tables, byte by byte.

/// A table: header with a good checksum, then `body`.
pub(crate) fn table(signature: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.as_bytes().to_vec();
    bytes.extend(u32::try_from(36 + body.len()).unwrap().to_le_bytes());
    bytes.resize(36, 0);
    bytes.extend(body);
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[9] = sum.wrapping_neg();
    bytes
}

/// A DMAR of 39 address bits.
pub(crate) fn dmar(flags: u8, structures: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![38, flags];
    body.resize(12, 0);
    body.extend(structures.concat());
    table("DMAR", &body)
}

fn structure(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let fields = fields.concat();
    let length = u8::try_from(fields.len() + 4).unwrap();
    [&[kind, 0, length, 0], fields.as_slice()].concat()
}

/// A unit (DRHD) of segment 0; flags 1 to take all that no other unit names.
pub(crate) fn unit(flags: u8, registers: u64, scopes: &[Vec<u8>]) -> Vec<u8> {
    structure(
        0,
        &[
            &[flags, 0, 0, 0],
            &registers.to_le_bytes(),
            &scopes.concat(),
        ],
    )
}

/// A reserved memory region (RMRR) of segment 0.
pub(crate) fn rmrr(base: u64, limit: u64, scopes: &[Vec<u8>]) -> Vec<u8> {
    let range = [base.to_le_bytes(), limit.to_le_bytes()].concat();
    structure(1, &[&[0; 4], &range, &scopes.concat()])
}

/// Root ports with address translation services (ATSR) of segment 0; flags 1 for all.
pub(crate) fn atsr(flags: u8, scopes: &[Vec<u8>]) -> Vec<u8> {
    structure(2, &[&[flags, 0, 0, 0], &scopes.concat()])
}

/// A device scope: 1 endpoint, 2 bridge, 3 IOAPIC; then start bus, and device and function by turns.
pub(crate) fn scope(kind: u8, id: u8, bus: u8, path: &[u8]) -> Vec<u8> {
    let length = u8::try_from(6 + path.len()).unwrap();
    [&[kind, length, 0, 0, id, bus], path].concat()
}

/// The scope of an endpoint.
pub(crate) fn endpoint(bus: u8, path: &[u8]) -> Vec<u8> {
    scope(1, 0, bus, path)
}

/// An IVRS of 48 physical address bits.
pub(crate) fn ivrs(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut body = 0x0020_3000_u32.to_le_bytes().to_vec();
    body.resize(12, 0);
    body.extend(blocks.concat());
    table("IVRS", &body)
}

/// A unit (IVHD 0x10) of segment 0 with these device entries.
pub(crate) fn amd_unit(device_id: u16, entries: &[u8]) -> Vec<u8> {
    let length = u8::try_from(24 + entries.len()).unwrap();
    let mut block = vec![0x10, 0, length, 0];
    block.extend(device_id.to_le_bytes());
    block.extend([0x40, 0, 0, 0, 0xd8, 0xfe]);
    block.resize(24, 0);
    block.extend(entries);
    block
}

/// A memory definition (IVMD) of segment 0: 0x20 for all, 0x21 for the first id, 0x22 from first to last.
pub(crate) fn ivmd(kind: u8, flags: u8, ids: (u16, u16), base: u64, length: u64) -> Vec<u8> {
    let mut block = vec![kind, flags, 32, 0];
    block.extend([ids.0.to_le_bytes(), ids.1.to_le_bytes()].concat());
    block.extend([0; 8]);
    block.extend([base.to_le_bytes(), length.to_le_bytes()].concat());
    block
}

/// An APIC table with these IOAPICs.
pub(crate) fn madt(io_apics: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 8];
    for id in io_apics {
        body.extend([1, 12, *id, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    }
    table("APIC", &body)
}
