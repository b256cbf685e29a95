use hardware::{Function, Reading, RomReading, RomSource};
use option_rom::{Rom, Verdict};
use sha2::{Digest, Sha256};

use crate::{RomCopy, RomSummary};

/// What is known of a function's ROM: the chosen copy, parsed and checked against the function's ids.
pub(crate) fn summary(function: &Function, roms: Option<&[RomReading]>) -> RomSummary {
    let attempts = attempts(function, roms);
    if let Some((reading, bytes)) = chosen(&attempts) {
        return RomSummary::Read(copy(function, reading, bytes));
    }
    let failure = attempts
        .iter()
        .find_map(|reading| reading.bytes.as_ref().err());
    if let Some(why) = failure {
        return RomSummary::Failed { why: why.clone() };
    }
    if function.rom_region == Reading::Absent && !function.has_rom_file {
        RomSummary::Absent
    } else {
        RomSummary::Unread
    }
}

/// Every attempt to read this function's ROM.
pub(crate) fn attempts<'a>(
    function: &Function,
    roms: Option<&'a [RomReading]>,
) -> Vec<&'a RomReading> {
    let all = roms.into_iter().flatten();
    all.filter(|reading| reading.address == function.address)
        .collect()
}

/// The copy to judge and to save: one that nothing speaks against, else the first that was read.
fn chosen<'a>(attempts: &[&'a RomReading]) -> Option<(&'a RomReading, &'a [u8])> {
    let read = || {
        attempts.iter().filter_map(|reading| {
            let bytes = reading.bytes.as_ref().ok()?;
            Some((*reading, bytes.as_slice()))
        })
    };
    read()
        .find(|(reading, _)| reading.taint.is_none())
        .or_else(|| read().next())
}

fn copy(function: &Function, reading: &RomReading, bytes: &[u8]) -> RomCopy {
    let mut rom = Rom::parse(bytes);
    rom.problems.extend(rom.check_ids(function.id));
    rom.verdict = Verdict::of(&rom.problems);
    RomCopy {
        source: source(reading.source).to_owned(),
        taint: reading.taint.clone(),
        length: bytes.len(),
        sha256: Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        rom,
    }
}

/// How JSON names a source.
pub(crate) fn source(source: RomSource) -> &'static str {
    match source {
        RomSource::Sysfs => "sysfs",
        RomSource::Shadow => "shadow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{function, legacy_rom, rom_reading};

    fn gpu() -> Function {
        function("01:00.0", 0x03_00_00)
    }

    #[test]
    fn a_clean_copy_is_chosen_over_a_tainted_one_that_was_read_first() {
        let mut shadow = rom_reading("01:00.0", legacy_rom());
        shadow.source = RomSource::Shadow;
        shadow.taint = Some("the legacy copy".into());
        let readings = [shadow.clone(), rom_reading("01:00.0", legacy_rom())];
        let RomSummary::Read(copy) = summary(&gpu(), Some(&readings)) else {
            panic!("not read");
        };
        assert_eq!((copy.source.as_str(), copy.taint), ("sysfs", None));

        let RomSummary::Read(copy) = summary(&gpu(), Some(&[shadow])) else {
            panic!("not read");
        };
        assert_eq!(copy.source, "shadow");
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        let readings = [rom_reading("01:00.0", b"abc".to_vec())];
        let RomSummary::Read(copy) = summary(&gpu(), Some(&readings)) else {
            panic!("not read");
        };
        assert_eq!(
            copy.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(copy.rom.verdict, Verdict::Bad);
    }

    #[test]
    fn absent_unread_and_failed_are_told_apart() {
        let mut function = gpu();
        assert_eq!(summary(&function, None), RomSummary::Unread);
        let mut failed = rom_reading("01:00.0", vec![]);
        failed.bytes = Err("EIO".into());
        assert_eq!(
            summary(&function, Some(&[failed])),
            RomSummary::Failed { why: "EIO".into() }
        );
        function.rom_region = Reading::Absent;
        function.has_rom_file = false;
        assert_eq!(summary(&function, Some(&[])), RomSummary::Absent);
    }
}
