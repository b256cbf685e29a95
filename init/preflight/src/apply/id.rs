use std::time::{SystemTime, UNIX_EPOCH};

use apply::{NotAnId, ReceiptId};
use time::OffsetDateTime;

/// A name for a change that is made now: the time by this machine's clock, as 20261121-174502.
pub fn new_id() -> Result<ReceiptId, NotAnId> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    named(now.as_secs()).try_into()
}

/// Seconds since 1970 as a date and time.
fn named(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let month = u8::from(month);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_time() {
        let known = [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_782_400, "20000229-000000"),
            (1_795_283_102, "20261121-174502"),
        ];
        for (seconds, name) in known {
            assert_eq!(named(seconds), name);
        }
    }
}
