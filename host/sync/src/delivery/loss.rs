//! Rows that a target had after the last run and has no more: who is told, and how.
//!
//! Where several lake tables deliver into one table, its number of rows is theirs together. The first of them to run finds
//! what is lost; the others cannot, since what it delivers fills the table up again. So it marks their positions, in the
//! transaction of its merge.

use icehost_sqlserver::{KnownPosition, Loss, Mark, SqlTable};

use crate::delivery::landing::listed;
use crate::delivery::start::{Situation, Start, Why};

impl Situation<'_> {
    /// The other lake tables that are to be told that rows are lost.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        let loss = match (self.state.empty, self.fewer()) {
            (true, _) => Loss::All,
            (false, Some(_)) => Loss::Some,
            (false, None) => return Vec::new(),
        };
        let replaced = self.replaced();
        let others = self.state.others.iter().filter(|other| {
            // One that left no row has lost none; one that has been told of as much knows.
            let news = match loss {
                Loss::All => other.loss != Some(Loss::All),
                Loss::Some => other.loss.is_none(),
            };
            news && other.target_rows != Some(0)
                && !replaced.contains(&other.lake_uuid)
                && self.is_of_this_table(other)
        });
        others
            .map(|other| Mark {
                lake_uuid: other.lake_uuid,
                run_id: other.run_id.clone(),
                rows: other.target_rows,
                loss,
            })
            .collect()
    }

    /// How many rows the last run left, whichever lake table it was of, and how many there are, where that is fewer, as
    /// far as the catalog's count tells.
    fn fewer(&self) -> Option<(u64, u64)> {
        let own = self.state.own.iter();
        let mut known = own.chain(&self.state.others);
        let is_last = |position: &&KnownPosition| Some(position.lake_uuid) == self.state.last;
        let last = known.find(is_last)?;
        let (had, has) = (last.target_rows?, self.state.rows?);
        // That another table has fewer is no news.
        let same = !self.created && self.is_of_this_table(last);
        (has < had && same && last.loss.is_none()).then_some((had, has))
    }

    /// More rows are there than any position tells of, as far as the catalog's count tells: somebody else has added some, or
    /// the positions are earlier ones.
    pub(crate) fn has_unexplained_rows(&self) -> bool {
        let Some(has) = self.state.rows.filter(|_| !self.created) else {
            return false;
        };
        let own = self.state.own.iter();
        let own = own.filter_map(|own| own.target_rows).next();
        let mut others = self.shared_with().into_iter();
        own.is_some_and(|had| had < has) && !others.any(|other| other.target_rows == Some(has))
    }

    /// What the user should know of rows that are gone, where the run does not deliver every row for that reason.
    pub(crate) fn told_of_gone_rows(&self, target: &SqlTable) -> Option<String> {
        if let Start::Everything(Why::Emptied(_) | Why::EmptiedBefore(_)) = self.start() {
            return None;
        }
        let name = &target.name;
        if let Some((had, has)) = self.fewer() {
            let others = self.shared_with();
            let others: Vec<String> = others.iter().map(|o| o.lake_table.clone()).collect();
            let whose = match others.is_empty() {
                true => String::new(),
                false => format!(
                    "; whether they are rows of this lake table or of {} cannot be told: `icehost load --full` of each brings \
                     its own again",
                    listed(&others)
                ),
            };
            return Some(format!(
                "target table {name} has {has} row{} and had {had} after the last run: somebody else has removed rows{whose}",
                if has == 1 { "" } else { "s" }
            ));
        }
        let own = self.state.own.as_ref()?;
        let told = own.loss == Some(Loss::Some) && !self.created && self.is_of_this_table(own);
        told.then(|| {
            format!(
                "somebody else has removed rows from target table {name} since the last run, as a run of another lake table \
                 has found: `icehost load --full` brings those of this lake table again"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use icehost_sqlserver::{PositionsLayout, TableIdentity, TargetState};
    use uuid::Uuid;

    use super::*;
    use crate::delivery::start::Line;

    fn identity() -> TableIdentity {
        TableIdentity {
            object_id: 7,
            created: None,
        }
    }

    fn position(lake: u128, rows: Option<u64>, loss: Option<Loss>) -> KnownPosition {
        KnownPosition {
            lake_uuid: Uuid::from_u128(lake),
            lake_table: "a.b".to_owned(),
            lake_location: Some(format!("here:/lake/{lake}")),
            snapshot_id: 3,
            sequence_number: Some(3),
            run_id: "run".to_owned(),
            target: Some(identity()),
            target_rows: rows,
            loss,
            merge: None,
        }
    }

    /// What others are told, and what is known of fewer rows.
    type Found = (Vec<(u128, Loss)>, Option<(u64, u64)>);

    /// What is found where the target has so many rows.
    fn found(rows: u64, last: u128, others: Vec<KnownPosition>) -> Found {
        let state = TargetState {
            identity: identity(),
            empty: rows == 0,
            rows: Some(rows),
            own: Some(position(1, Some(10), None)),
            others,
            last: Some(Uuid::from_u128(last)),
            layout: PositionsLayout::Current,
        };
        let line = Line {
            location: None,
            current: 3,
            ancestors: vec![(3, 3)],
            known: vec![3],
        };
        let situation = Situation {
            state: &state,
            created: false,
            line: &line,
            full: false,
            trust: false,
            merge: None,
        };
        let marks = situation.marks().into_iter();
        let marks = marks.map(|mark| (mark.lake_uuid.as_u128(), mark.loss));
        (marks.collect(), situation.fewer())
    }

    #[test]
    fn the_others_are_told_once_what_is_lost() {
        let others = |rows, loss| vec![position(2, rows, loss)];
        assert_eq!(found(20, 2, others(Some(20), None)), (vec![], None));
        let some = (vec![(2, Loss::Some)], Some((20, 15)));
        assert_eq!(found(15, 2, others(Some(20), None)), some);
        assert_eq!(found(15, 1, others(Some(20), None)), (vec![], None));
        let all = |rows, loss| found(0, 2, others(rows, loss)).0;
        for (rows, loss) in [(Some(20), None), (None, None), (Some(20), Some(Loss::Some))] {
            assert_eq!(all(rows, loss), [(2, Loss::All)]);
        }
        assert_eq!(all(Some(20), Some(Loss::All)), []);
        assert_eq!(all(Some(0), None), [], "it left no row");
        let mut elsewhere = position(2, Some(20), None);
        elsewhere.target = Some(TableIdentity {
            object_id: 8,
            created: None,
        });
        assert_eq!(
            found(0, 2, vec![elsewhere]).0,
            [],
            "of a table that is gone"
        );
    }
}
