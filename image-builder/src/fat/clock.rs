/// Date and time in a folder's entry (Microsoft's FAT specification, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Years since 1980 in bits 15 to 9, month in 8 to 5, day in 4 to 0.
    pub(super) date: u16,
    /// Hours in bits 15 to 11, minutes in 10 to 5, pairs of seconds in 4 to 0.
    pub(super) time: u16,
}

/// Coordinated universal time, `seconds` since 1970; never before 1980.
pub(super) fn stamp(seconds: u32) -> Stamp {
    const SECONDS_PER_DAY: u32 = 86_400;
    const FIRST: u32 = 3652 * SECONDS_PER_DAY;
    let seconds = seconds.max(FIRST);
    let mut days = seconds / SECONDS_PER_DAY;
    let mut year = 1970;
    while days >= days_in(year) {
        days -= days_in(year);
        year += 1;
    }
    let february = days_in(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let rest = seconds % SECONDS_PER_DAY;
    let small = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Stamp {
        date: small(((year - 1980) << 9) | (month << 5) | (days + 1)),
        time: small(((rest / 3600) << 11) | ((rest / 60 % 60) << 5) | (rest % 60 / 2)),
    }
}

/// Between 1970 and 2106 only 2100 breaks the rule of every fourth year.
fn days_in(year: u32) -> u32 {
    if year.is_multiple_of(4) && year != 2100 {
        366
    } else {
        365
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_through_leap_years_and_start_in_1980() {
        let date = |seconds| {
            let date = stamp(seconds).date;
            (1980 + (date >> 9), date >> 5 & 15, date & 31)
        };
        assert_eq!(date(0), (1980, 1, 1));
        assert_eq!(date(951_782_400), (2000, 2, 29));
        assert_eq!(date(951_868_800), (2000, 3, 1));
        assert_eq!(date(u32::MAX), (2106, 2, 7));
        let time = stamp(1_700_000_000).time;
        assert_eq!((time >> 11, time >> 5 & 63, time & 31), (22, 13, 10));
    }
}
