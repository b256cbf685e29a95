use std::time::{SystemTime, UNIX_EPOCH};

use apply::{NotAnId, ReceiptId};

/// A name for a change that is made now: the time by this machine's clock, as 20261121-174502.
pub fn new_id() -> Result<ReceiptId, NotAnId> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    named(now.as_secs()).try_into()
}

/// Seconds since 1970 as a date and time (days to civil date: the proleptic Gregorian calendar counted from March).
fn named(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}{month:02}{date:02}-{:02}{:02}{:02}",
        time / 3600,
        time / 60 % 60,
        time % 60
    )
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
