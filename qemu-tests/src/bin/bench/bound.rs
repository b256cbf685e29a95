//! What is promised, beside what was measured.

/// A promise about a number.
pub struct Bound<'a> {
    /// What was measured.
    pub what: &'a str,
    /// How much it is.
    pub measured: f64,
    /// How much is promised.
    pub limit: Limit,
    /// Of both numbers.
    pub unit: &'a str,
    /// What a miss comes from.
    pub why: String,
}

/// How much is promised.
#[derive(Clone, Copy)]
pub enum Limit {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Bound<'_> {
    /// A line for a person; where the promise is missed, by how much, and a second line that says why.
    pub fn print(&self) {
        println!("  {}", self.line());
        if self.miss().is_some() {
            println!("    {}", self.why);
        }
    }

    fn line(&self) -> String {
        let unit = self.unit;
        let allowed = match self.limit {
            Limit::AtMost(limit) => format!("at most {limit}{unit}"),
            Limit::AtLeast(limit) => format!("at least {limit}{unit}"),
        };
        let verdict = match self.miss() {
            None => "OK".to_owned(),
            Some(miss) => format!("MISSED by {miss:.2}{unit}"),
        };
        format!(
            "{:<52} {:>8.2}{unit} ({allowed}): {verdict}",
            self.what, self.measured
        )
    }

    fn miss(&self) -> Option<f64> {
        let miss = match self.limit {
            Limit::AtMost(limit) => self.measured - limit,
            Limit::AtLeast(limit) => limit - self.measured,
        };
        (miss > 0.0).then_some(miss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(measured: f64, limit: Limit) -> String {
        let bound = Bound {
            what: "release image",
            measured,
            limit,
            unit: " MB",
            why: String::new(),
        };
        bound.line()
    }

    #[test]
    fn what_is_kept_is_ok_and_what_is_missed_says_by_how_much() {
        let cases = [
            (10.5, Limit::AtMost(11.0), "10.50 MB (at most 11 MB): OK"),
            (
                12.5,
                Limit::AtMost(11.0),
                "12.50 MB (at most 11 MB): MISSED by 1.50 MB",
            ),
            (20.0, Limit::AtLeast(20.0), "20.00 MB (at least 20 MB): OK"),
            (
                15.0,
                Limit::AtLeast(20.0),
                "15.00 MB (at least 20 MB): MISSED by 5.00 MB",
            ),
        ];
        for (measured, limit, end) in cases {
            let line = line(measured, limit);
            assert!(line.ends_with(end), "{line}");
        }
    }
}
