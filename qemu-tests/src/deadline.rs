use std::fmt;
use std::time::Duration;

/// A point that every session passes, in this order. `Unsaved` stands in for `Saved`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Milestone {
    /// PID 1 has mounted.
    Init,
    /// Its child runs.
    Session,
    /// Option ROMs are read, before a module has touched anything.
    Roms,
    /// The first answer is on the consoles.
    Answered,
    /// Modules are asked for, for every device present.
    Coldplug,
    /// No device appears any more.
    Settled,
    /// The machine is read.
    Read,
    /// Installed systems were looked at.
    Systems,
    /// The machine is judged.
    Assessed,
    /// The first byte is about to go to the stick.
    Saving,
    /// Everything is on the stick.
    Saved,
    /// The stick is missing or took not everything.
    Unsaved,
    /// The report is on the consoles.
    Shown,
    /// PID 1 is about to end the machine.
    End,
}

/// Names as the log has them, and the seconds from the milestone before, on the reference machine (two
/// cores, no KVM), ten times what is seen there.
const MILESTONES: &[(Milestone, &str, u64)] = &[
    (Milestone::Init, "init", 40),
    (Milestone::Session, "session", 10),
    (Milestone::Roms, "roms", 20),
    (Milestone::Answered, "answered", 20),
    (Milestone::Coldplug, "coldplug", 20),
    (Milestone::Settled, "settled", 40),
    (Milestone::Read, "read", 20),
    (Milestone::Systems, "systems", 60),
    (Milestone::Assessed, "assessed", 10),
    (Milestone::Saving, "saving", 10),
    (Milestone::Saved, "saved", 30),
    (Milestone::Unsaved, "unsaved", 30),
    (Milestone::Shown, "shown", 10),
    (Milestone::End, "end", 20),
];

impl Milestone {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        MILESTONES
            .iter()
            .find(|(milestone, _, _)| *milestone == self)
            .map_or("", |(_, name, _)| name)
    }

    /// The milestone of this name.
    pub fn named(name: &str) -> Option<Self> {
        MILESTONES
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(milestone, _, _)| *milestone)
    }

    /// Those that a session passes before `last`, and `last` itself.
    pub(crate) fn up_to(last: Self) -> impl Iterator<Item = Self> {
        let all = MILESTONES.iter().map(|(milestone, _, _)| *milestone);
        all.filter(move |milestone| *milestone <= last)
    }

    /// The one that can come in its place.
    pub(crate) fn alternative(self) -> Option<Self> {
        match self {
            Self::Saved => Some(Self::Unsaved),
            Self::Unsaved => Some(Self::Saved),
            _ => None,
        }
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How long a guest may take. All times are multiplied by one factor: how much slower this machine is
/// than the reference machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deadlines {
    factor: f64,
}

impl Deadlines {
    /// A guest that prints nothing for this long is stuck.
    const SILENCE: Duration = Duration::from_secs(60);

    /// With a factor; less than 1 counts as 1.
    pub fn scaled(factor: f64) -> Self {
        Self {
            factor: if factor > 1.0 { factor } else { 1.0 },
        }
    }

    /// The factor.
    pub fn factor(self) -> f64 {
        self.factor
    }

    /// Longest wait for `wanted` after `last` was seen (or after the start).
    pub fn until(self, wanted: Milestone, last: Option<Milestone>) -> Duration {
        let from = last.filter(|last| *last < wanted);
        let seconds = MILESTONES
            .iter()
            .filter(|(milestone, _, _)| {
                *milestone <= wanted && from.is_none_or(|from| *milestone > from)
            })
            .map(|(_, _, seconds)| seconds)
            .sum();
        self.of(Duration::from_secs(seconds))
    }

    /// Longest time without a byte on the serial line.
    pub fn silence(self) -> Duration {
        self.of(Self::SILENCE)
    }

    /// `time` on the reference machine, here.
    pub fn of(self, time: Duration) -> Duration {
        time.mul_f64(self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_milestone_is_found_by_the_name_it_prints() {
        for (milestone, name, _) in MILESTONES {
            assert_eq!(Milestone::named(name), Some(*milestone));
            assert_eq!(milestone.to_string(), *name);
        }
        assert_eq!(Milestone::named("lunch"), None);
    }

    #[test]
    fn a_later_milestone_has_a_later_deadline_and_a_passed_one_shortens_it() {
        let deadlines = Deadlines::scaled(2.0);
        let settled = deadlines.until(Milestone::Settled, None);
        assert!(settled > deadlines.until(Milestone::Session, None));
        assert_eq!(
            deadlines.until(Milestone::Settled, Some(Milestone::Coldplug)),
            Duration::from_secs(80)
        );
    }

    #[test]
    fn a_session_that_starts_anew_gets_the_whole_time_again() {
        let deadlines = Deadlines::scaled(1.0);
        assert_eq!(
            deadlines.until(Milestone::Session, Some(Milestone::Read)),
            deadlines.until(Milestone::Session, None)
        );
    }

    #[test]
    fn a_fast_machine_does_not_get_shorter_deadlines() {
        assert_eq!(Deadlines::scaled(0.2), Deadlines::scaled(1.0));
        assert_eq!(Deadlines::scaled(f64::NAN), Deadlines::scaled(1.0));
    }
}
