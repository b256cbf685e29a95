use time::OffsetDateTime;

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
    const FIRST: i64 = 3652 * 86_400;
    let moment = OffsetDateTime::from_unix_timestamp(i64::from(seconds).max(FIRST));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = moment.to_hms();
    let year = u16::try_from(moment.year() - 1980).unwrap_or(0);
    let date = year << 9 | u16::from(u8::from(moment.month())) << 5 | u16::from(moment.day());
    let time = u16::from(hour) << 11 | u16::from(minute) << 5 | u16::from(second / 2);
    Stamp { date, time }
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
