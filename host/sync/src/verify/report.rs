//! What a comparison found, as one JSON object.

use icehost_plan::Watermark;
use serde::Serialize;

use crate::verify::compare::class::{Class, What};
use crate::verify::stops::Stop;

/// Source, lake and target, compared.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// The source table; `null` where lake and target alone are compared.
    pub table: Option<String>,
    /// The lake table.
    pub lake_table: String,
    /// The target table; `null` where there is none.
    pub target_table: Option<String>,
    /// Differences that should not be there, in both comparisons. Not zero: they do not agree.
    pub wrong: u64,
    /// Differences that the next run takes away.
    pub pending: u64,
    /// Differences that the strategy or the merge does not see.
    pub not_seen: u64,
    /// The snapshot that the lake stands at.
    pub snapshot_id: Option<i64>,
    /// How far the source has been read.
    pub watermark: Option<Watermark>,
    /// The source (expected) and the lake (found).
    pub lake: Option<Comparison>,
    /// The lake (expected) and the target (found).
    pub target: Option<Comparison>,
    /// Why the next run will stop, as far as that shows without writing; empty where nothing is known against it.
    /// Where it will, nothing is pending, and what would be is wrong.
    pub next_run_stops: Vec<Stop>,
    /// What a repair delivered again; `null` where none was asked for.
    pub repaired: Option<Repaired>,
    /// Time in all.
    pub duration_ms: f64,
}

/// What a repair delivered again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Keys whose rows were written to the lake or taken out of it: one for a row that takes the place of another.
    pub lake_rows: u64,
    /// Rows of the target that were inserted, updated or deleted.
    pub target_rows: u64,
}

/// Two sides, compared row by row.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// The side that is taken as it is, for example `source table dbo.Customers`.
    pub expected: String,
    /// The side that is compared with it.
    pub found: String,
    /// Rows on the first side.
    pub rows_expected: u64,
    /// Rows on the second side.
    pub rows_found: u64,
    /// Whether the server that has one of the sides added up its rows itself. Else they were read and added up here.
    pub checksums_by_server: bool,
    /// Rows of both sides that were compared one by one, because sums of them differ.
    pub rows_read_again: u64,
    /// The columns that identify a row; empty where a row is identified by all that it is.
    pub key: Vec<String>,
    /// The columns that were compared.
    pub columns: Vec<String>,
    /// Those that were not, and why.
    pub left_out: Vec<LeftOut>,
    /// What one should know of the comparison.
    pub notes: Vec<String>,
    /// For a target: rows that changed in the lake since the snapshot that it has reached.
    pub undelivered: u64,
    /// Differences that should not be there.
    pub wrong: Differences,
    /// Differences that the next run takes away, without those of `undelivered`.
    pub pending: Differences,
    /// Differences that the strategy or the merge does not see.
    pub not_seen: Differences,
    /// Whether a repair can deliver again what is wrong.
    pub repairable: bool,
    /// The next run stops: nothing is pending, and what is undelivered is wrong.
    #[serde(skip)]
    pub held: bool,
}

/// A column that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The column.
    pub column: String,
    /// Why.
    pub why: String,
}

/// Differences of one class. The counts are exact, the keys are as many as were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Rows in all.
    pub rows: u64,
    /// Rows that are expected and not found.
    pub missing: u64,
    /// Rows that are found and not expected.
    pub extra: u64,
    /// Rows that are found with other values.
    pub changed: u64,
    /// Rows that are found more often than expected.
    pub repeated: u64,
    /// For a history: versions that count while another one of their key does, or end before they begin.
    pub overlapping: u64,
    /// Whose they are.
    pub keys: Vec<Difference>,
}

/// A difference between the rows of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// For example `Id = 7`.
    pub key: String,
    /// `missing`, `extra`, `changed`, `repeated` or `overlapping`.
    pub what: &'static str,
    /// For a row that is there once on each side: the columns whose values differ.
    pub columns: Vec<String>,
}

impl What {
    pub(crate) fn word(self) -> &'static str {
        match self {
            What::Missing => "missing",
            What::Extra => "extra",
            What::Changed => "changed",
            What::Repeated => "repeated",
            What::Overlapping => "overlapping",
        }
    }
}

impl Differences {
    pub(crate) fn count(&mut self, what: What, rows: u64) {
        self.rows += rows;
        let counted = match what {
            What::Missing => &mut self.missing,
            What::Extra => &mut self.extra,
            What::Changed => &mut self.changed,
            What::Repeated => &mut self.repeated,
            What::Overlapping => &mut self.overlapping,
        };
        *counted += rows;
    }
}

impl Differences {
    /// Takes in those of another class; no more keys are named than `limit`.
    fn absorb(&mut self, other: Differences, limit: usize) {
        self.rows += other.rows;
        self.missing += other.missing;
        self.extra += other.extra;
        self.changed += other.changed;
        self.repeated += other.repeated;
        self.overlapping += other.overlapping;
        let room = limit.saturating_sub(self.keys.len());
        self.keys.extend(other.keys.into_iter().take(room));
    }
}

impl Comparison {
    /// Nothing is pending where the next run stops: no run takes it away by itself.
    pub(crate) fn hold(&mut self, limit: usize) {
        let pending = std::mem::take(&mut self.pending);
        self.wrong.absorb(pending, limit);
        self.held = true;
    }

    /// Whether anything differs, whatever becomes of it.
    pub(crate) fn differs(&self) -> bool {
        let all = [&self.wrong, &self.pending, &self.not_seen];
        all.iter().any(|differences| differences.rows > 0)
    }

    /// What should not be there, in rows.
    #[must_use]
    pub fn wrong_rows(&self) -> u64 {
        match self.held {
            true => self.wrong.rows + self.undelivered,
            false => self.wrong.rows,
        }
    }

    fn pending_rows(&self) -> u64 {
        match self.held {
            true => 0,
            false => self.pending.rows + self.undelivered,
        }
    }

    pub(crate) fn of(&mut self, class: Class) -> &mut Differences {
        match class {
            Class::Wrong => &mut self.wrong,
            Class::Pending => &mut self.pending,
            Class::NotSeen => &mut self.not_seen,
        }
    }
}

impl Verification {
    /// Adds up what the comparisons found.
    pub(crate) fn total(&mut self) {
        let sides = || [&self.lake, &self.target].into_iter().flatten();
        self.wrong = sides().map(Comparison::wrong_rows).sum();
        self.pending = sides().map(Comparison::pending_rows).sum();
        self.not_seen = sides().map(|side| side.not_seen.rows).sum();
    }
}
