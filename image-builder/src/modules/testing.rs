/// A relocatable ELF file of x86-64 that holds nothing but a section `.modinfo` with these entries.
pub fn module(entries: &[&str]) -> Vec<u8> {
    const HEADER: u16 = 64;
    const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
    let modinfo: Vec<u8> = entries
        .iter()
        .flat_map(|entry| entry.bytes().chain([0]))
        .collect();
    let table = (usize::from(HEADER) + modinfo.len() + NAMES.len()).next_multiple_of(8);

    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |bytes: &mut Vec<u8>, values: &[u16]| {
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()));
    };
    half(&mut bytes, &[1, 62]); // ET_REL, EM_X86_64
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend((table as u64).to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    half(&mut bytes, &[HEADER, 0, 0, 64, 3, 2]);
    bytes.extend(&modinfo);
    bytes.extend(NAMES);
    bytes.resize(table, 0);

    let sections = [
        (0u32, 0u32, 0, 0),
        (1, 1, usize::from(HEADER), modinfo.len()),
        (10, 3, usize::from(HEADER) + modinfo.len(), NAMES.len()),
    ];
    for (name, kind, offset, size) in sections {
        bytes.extend(name.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        for value in [0, 0, offset, size] {
            bytes.extend((value as u64).to_le_bytes());
        }
        bytes.extend([0; 24]);
    }
    bytes
}
