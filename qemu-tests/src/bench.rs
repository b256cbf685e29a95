//! Guest times that repeat: under `-icount` guest time is a count of instructions, whatever else the
//! machine is doing.

use std::time::Duration;

use crate::{Boot, Failure, Images, Machine, Qemu};

/// What stands in front of a milestone's name in the kernel log.
const MILESTONE: &str = "preflight: milestone ";

/// Boots with guest time counted in instructions, waits for the last of `markers` in the kernel log, and
/// gives the guest time from the kernel's start to the first line with each.
pub fn guest_times<const N: usize>(
    boot: Boot,
    qemu: &Qemu,
    markers: [&str; N],
) -> Result<[Duration; N], Failure> {
    let mut run = boot.count_instructions().start(qemu)?;
    if let Some(last) = markers.last() {
        run.wait_text(last, Duration::from_secs(600))?;
    }
    let text = run.serial().text().into_owned();
    let mut times = [Duration::ZERO; N];
    for (time, marker) in times.iter_mut().zip(markers) {
        let stamp = text
            .lines()
            .find(|line| line.contains(marker))
            .and_then(|line| time_stamp(line, marker));
        *time = stamp.ok_or_else(|| {
            let why = format!("the line with '{marker}' has no printk time stamp");
            run.failure("a time stamp", crate::Outcome::Lab(why))
        })?;
    }
    Ok(times)
}

/// Guest times of the first line with `first` and of every milestone of one session, by name, in the order they
/// were passed; from the kernel's start.
pub fn stages(boot: Boot, qemu: &Qemu, first: &str) -> Result<Vec<(String, Duration)>, Failure> {
    let mut run = boot.count_instructions().start(qemu)?;
    run.wait_text("preflight: milestone shown", Duration::from_secs(600))?;
    run.wait_end()?;
    let text = run.serial().text();
    Ok(text
        .lines()
        .filter_map(|line| {
            let (name, marker) = match line.split_once(MILESTONE) {
                Some((_, name)) => (name.trim(), MILESTONE),
                None => (first, first),
            };
            Some((name.to_owned(), time_stamp(line, marker)?))
        })
        .collect())
}

/// Guest time that a session's look at installed systems takes: from the machine being read to the systems
/// being known.
pub fn look_time(images: &Images, machine: Machine, qemu: &Qemu) -> Result<Duration, Failure> {
    let boot = Boot::new("look-time", images, machine).option("preflight.end=poweroff");
    let marks = ["milestone read", "milestone systems"];
    let [before, after] = guest_times(boot, qemu, marks)?;
    Ok(after.saturating_sub(before))
}

/// Reads the last `[    2.345678]` in front of `marker`: a line of the log may come in the middle of one that a
/// program prints.
fn time_stamp(line: &str, marker: &str) -> Option<Duration> {
    let (before, _) = line.split_once(marker)?;
    let (seconds, _) = before.rsplit_once('[')?.1.split_once(']')?;
    Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stamp_is_read_also_in_the_middle_of_a_line_and_other_brackets_are_not() {
        let stamp = |line: &str| time_stamp(line, "preflight: milestone");
        let expected = Some(Duration::from_micros(2_345_678));
        for begin in ["", "In short: "] {
            let line = format!("{begin}[    2.345678] preflight: milestone shown");
            assert_eq!(stamp(&line), expected, "{line}");
        }
        assert_eq!(stamp("[ok] preflight: milestone shown"), None);
        assert_eq!(stamp("preflight: milestone shown"), None);
        assert_eq!(stamp("[    2.345678] something else"), None);
    }
}
