/// Where VGA text mode keeps its characters, guest physical.
pub(crate) const TEXT_MEMORY: u64 = 0xb8000;

/// Its size: room for the lines that were scrolled up, too.
pub(crate) const TEXT_MEMORY_LENGTH: usize = 0x8000;

const COLUMNS: usize = 80;

/// The lines in VGA text memory: pairs of a character (code page 437) and its colours, 80 a line. Empty
/// lines are left out.
pub(crate) fn text(memory: &[u8]) -> String {
    let mut out = String::new();
    for row in memory.chunks(COLUMNS * 2) {
        let line: String = row
            .chunks(2)
            .map(|cell| match cell[0] {
                byte @ 0x20..=0x7e => char::from(byte),
                _ => ' ',
            })
            .collect();
        let line = line.trim_end();
        if !line.is_empty() {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_read_and_colours_are_not() {
        let mut memory = vec![0x07; COLUMNS * 2 * 2];
        for (place, byte) in b"ready".iter().enumerate() {
            memory[COLUMNS * 2 + place * 2] = *byte;
        }
        assert_eq!(text(&memory), "ready\n");
    }
}
