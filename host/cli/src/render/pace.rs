//! How far and how fast rows move.

use std::fmt;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};

use crate::render::counted;

/// A time that is left is told once it can be judged.
const JUDGED_AFTER: Duration = Duration::from_secs(2);

/// Rows that have moved so far. Shows as `1,000 of about 4,000 rows, 25 %, 500 rows/s, 1.2 MiB, 6 s left`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// How many there are, where that is known.
    pub(crate) of: Option<u64>,
    /// That number is a server's estimate.
    pub(crate) about: bool,
    pub(crate) took: Duration,
}

impl Pace {
    /// An estimate that is surpassed says nothing any more.
    fn total(&self) -> Option<u64> {
        self.of.filter(|of| *of > 0 && *of >= self.rows)
    }

    fn per_second(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 {
            self.rows as f64 / seconds
        } else {
            0.0
        }
    }

    fn left(&self) -> Option<Duration> {
        let rows = self.total()?.checked_sub(self.rows)?;
        let judged = self.took >= JUDGED_AFTER && self.rows > 0 && rows > 0;
        let seconds = judged.then(|| rows as f64 / self.per_second())?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = HumanCount(self.rows);
        match self.total() {
            Some(total) => {
                let about = if self.about { "about " } else { "" };
                let percent = u128::from(self.rows) * 100 / u128::from(total);
                let total = counted(total, "row");
                write!(f, "{rows} of {about}{total}, {percent} %")?;
            }
            None => f.write_str(&counted(self.rows, "row"))?,
        }
        let per_second = HumanCount(self.per_second() as u64);
        write!(f, ", {per_second} rows/s, {}", HumanBytes(self.bytes))?;
        match self.left() {
            Some(left) => write!(f, ", {} left", clock(left)),
            None => Ok(()),
        }
    }
}

/// `45 s`, `12 min`, `3 h 20 min`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..100 => format!("{} s", seconds.max(1)),
        100..5400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rows: u64, of: Option<u64>, about: bool, seconds: u64) -> String {
        let pace = Pace {
            rows,
            bytes: 1 << 20,
            of,
            about,
            took: Duration::from_secs(seconds),
        };
        pace.to_string()
    }

    #[test]
    fn how_far_is_told_where_the_total_is_known() {
        assert_eq!(
            pace(1000, Some(4000), true, 2),
            "1,000 of about 4,000 rows, 25 %, 500 rows/s, 1.00 MiB, 6 s left"
        );
        assert_eq!(
            pace(1000, Some(1000), false, 2),
            "1,000 of 1,000 rows, 100 %, 500 rows/s, 1.00 MiB"
        );
        assert_eq!(
            pace(10, Some(1_000_000), false, 4),
            "10 of 1,000,000 rows, 0 %, 2 rows/s, 1.00 MiB, 111 h 6 min left"
        );
    }

    #[test]
    fn nothing_is_told_of_what_nobody_knows() {
        for unknown in [None, Some(0), Some(999)] {
            assert_eq!(
                pace(1000, unknown, true, 2),
                "1,000 rows, 500 rows/s, 1.00 MiB"
            );
        }
        // Too early
        assert_eq!(
            pace(0, Some(10), true, 0),
            "0 of about 10 rows, 0 %, 0 rows/s, 1.00 MiB"
        );
    }

    #[test]
    fn times_are_short() {
        for (seconds, said) in [
            (0, "1 s"),
            (99, "99 s"),
            (100, "2 min"),
            (5399, "90 min"),
            (12_000, "3 h 20 min"),
        ] {
            assert_eq!(clock(Duration::from_secs(seconds)), said);
        }
    }
}
