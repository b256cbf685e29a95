//! Microcode that no processor takes, and that is sound all the same.

/// An update as Intel makes them, of this date (`mmddyyyy`).
pub fn intel_update(date: u32) -> Vec<u8> {
    const LENGTH: u32 = 1024;
    let header = [1, 7, date, 0x906ea, 0, 1, 2, LENGTH - 48, LENGTH, 0, 0, 0];
    let mut words = header.to_vec();
    words.resize(LENGTH as usize / 4, 0x0bad_c0de);
    let sum = words.iter().copied().fold(0, u32::wrapping_add);
    words[4] = sum.wrapping_neg();
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A container as AMD makes them, with an update of each date (`mmddyyyy`).
pub fn amd_container(dates: &[u32]) -> Vec<u8> {
    let mut words = vec![0x0041_4d44, 0, 16, 0x00a2_0f12, 0, 0, 0xa212];
    for date in dates {
        words.extend([1, 64, *date, 0x0a20_1025]);
        words.extend([0; 14]);
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}
