//! Keys that are two in the lake and one for the target.
//!
//! Rows of the lake with one key are versions of a row, and the target has the last of them. What one key is, the lake
//! has from its source, or else goes by every byte; the target goes by its own collation, which may ignore case,
//! accents or width, and by SQL Server's rule that blanks and zeros at the end do not count. Where that makes one key
//! of two, one row would take the place of the other, and nobody would be told. Where it makes two keys of one, a row
//! would stay under each spelling that its key ever had.

use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use icehost_lake::LakeTable;
use icehost_plan::{
    Collation, Delta, KeyPair, LogicalType, MergePlan, SqlType, Table, ValidMergePlan,
};
use icehost_sqlserver::lower::Spelling;
use icehost_sqlserver::{Collision, Loader, Result, SqlTable};

use crate::delivery::collided::Collided;
use crate::delivery::landing::{Landing, goes_by_other_columns};
use crate::delivery::own_key::each_is_its_own;
use crate::delivery::table::Taken;
use crate::rows::source_columns::{SourceColumn, SourceColumns};

/// What has to be asked of a delta's keys.
#[derive(Debug, Default)]
pub(crate) struct KeyDoubts {
    /// Of the plan's keys, in their order, how the lake tells values apart that may be one for the target.
    spellings: Vec<Option<Spelling>>,
    /// Ordinals in the delta of the lake's identifying columns, where the plan goes by others.
    identifying: Vec<u32>,
    /// Not even those can be compared with the target's.
    unknown: bool,
    /// When several keys of the target may be one for the lake.
    unites: Unites,
    /// Of the delta's key columns, by ordinal, the lake's collations.
    texts: Vec<(usize, Collation)>,
    /// A staged key is one of which only the server knows what equals it.
    uncertain: AtomicBool,
}

/// When several keys of the target may be one for the lake.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Unites {
    #[default]
    Never,
    /// Where only a server knows which texts are one: the collations pass over the same differences, by other tables.
    WhereUncertain,
    Always,
}

impl KeyDoubts {
    pub(crate) fn of(
        lake: &LakeTable,
        description: &Table,
        takes: &[Taken],
        (plan, delta): (&ValidMergePlan, &Delta),
        target: &SqlTable,
    ) -> KeyDoubts {
        let remembered = SourceColumns::remembered(lake);
        KeyDoubts::by(
            (lake, &remembered),
            description,
            takes,
            (plan, delta),
            target,
        )
    }

    /// `source` are the source's columns.
    pub(crate) fn by(
        (lake, source): (&LakeTable, &SourceColumns),
        description: &Table,
        takes: &[Taken],
        (plan, delta): (&ValidMergePlan, &Delta),
        target: &SqlTable,
    ) -> KeyDoubts {
        let other_columns = goes_by_other_columns(description, plan, delta);
        let each_is_its_own = each_is_its_own(lake, description, plan, delta);
        let versions = !other_columns && !each_is_its_own;
        if plan.keys.is_empty() || (!versions && !plan.deduplicate.is_empty()) {
            // Which of several rows stays has been chosen.
            return KeyDoubts::default();
        }
        let spelling = |key: u32, there: u32| {
            let column = description
                .columns
                .get(takes.get(key as usize)?.ordinal as usize)?;
            let there = target.columns.get(there as usize)?;
            spelling(
                source.get(&column.name),
                there.sql_type,
                there.collation.as_deref(),
            )
        };
        let keys = plan.keys.iter();
        let mut doubts = KeyDoubts {
            spellings: keys.map(|key| spelling(key.source, key.target)).collect(),
            ..KeyDoubts::default()
        };
        if tells_rows_by_its_key(description, plan, delta) {
            doubts.unite(plan, takes, target);
        }
        doubts.unknown = each_is_its_own;
        if other_columns {
            let own = description.key();
            let taken = |ordinal: u32| takes.iter().position(|taken| taken.ordinal == ordinal);
            let found: Vec<Option<usize>> = own.into_iter().map(taken).collect();
            doubts.unknown = found.contains(&None);
            doubts.identifying = found.into_iter().flatten().map(|at| at as u32).collect();
        }
        doubts
    }

    /// Looks where the lake's notion of a key may be wider than the target's.
    fn unite(&mut self, plan: &MergePlan, takes: &[Taken], target: &SqlTable) {
        for (key, spelling) in plan.keys.iter().zip(&self.spellings) {
            let Some(Spelling::Compared { .. }) = spelling else {
                continue;
            };
            let there = target.table.columns.get(key.target as usize);
            let there = there.and_then(|column| column.collation.as_ref());
            let (Some(own), Some(there)) = (collation(key, takes), there) else {
                continue;
            };
            match own.ignores_more_than(there) {
                true => self.unites = Unites::Always,
                false if self.unites == Unites::Never => self.unites = Unites::WhereUncertain,
                false => {}
            }
            self.texts.push((key.source as usize, own.clone()));
        }
    }

    /// Looks at rows that are staged.
    pub(crate) fn note(&self, batch: &RecordBatch) {
        if self.unites != Unites::WhereUncertain || self.uncertain.load(Ordering::Relaxed) {
            return;
        }
        let uncertain = self.texts.iter().any(|(at, collation)| {
            let column = batch.columns().get(*at);
            let texts = column.and_then(|column| column.as_string_opt::<i32>());
            let mut texts = texts.into_iter().flatten().flatten();
            texts.any(|text| !collation.is_certain(text))
        });
        if uncertain {
            self.uncertain.store(true, Ordering::Relaxed);
        }
    }

    /// Leaves one row of each key of the lake, in what is staged and, with the merge, in the target.
    pub(crate) async fn keep_one_of_each(
        &self,
        loader: &mut Loader<'_>,
        (plan, delta): (&ValidMergePlan, &Delta),
    ) -> Result<()> {
        let unites = match self.unites {
            Unites::Never => false,
            Unites::WhereUncertain => self.uncertain.load(Ordering::Relaxed),
            Unites::Always => true,
        };
        if !unites {
            return Ok(());
        }
        loader
            .keep_one_of_each_key(plan, delta, &self.spellings)
            .await
    }

    /// Whether the target may take keys for one that are two in the lake.
    pub(crate) fn may_collide(&self) -> bool {
        self.spellings.iter().any(Option::is_some)
    }

    /// Whether the delta has to come with all rows of its keys, since it is about a row of the target that was
    /// delivered for another row of the lake. That one may be gone; then nothing is wrong.
    pub(crate) async fn want_others(
        &self,
        loader: &mut Loader<'_>,
        landing: &Landing,
    ) -> Result<bool> {
        if self.unknown {
            return Ok(true);
        }
        if !self.may_collide() && self.identifying.is_empty() {
            return Ok(false);
        }
        let (plan, delta) = (&landing.plan, &landing.delta);
        loader
            .respells(plan, delta, &self.spellings, &self.identifying)
            .await
    }

    /// Two keys of the staged rows that are two in the lake and one for the target.
    pub(crate) async fn collision(
        &self,
        loader: &mut Loader<'_>,
        (plan, delta): (&ValidMergePlan, &Delta),
    ) -> Result<Option<Collision>> {
        match self.may_collide() {
            true => loader.collision(plan, delta, &self.spellings).await,
            false => Ok(None),
        }
    }

    /// What is said of keys that are.
    pub(crate) fn told<'a>(
        &'a self,
        lake: &'a LakeTable,
        target: &'a SqlTable,
        plan: &'a ValidMergePlan,
    ) -> Collided<'a> {
        Collided {
            spellings: &self.spellings,
            lake,
            target,
            plan,
        }
    }
}

/// Whether the merge takes rows for one that are one for the lake: rows whose keys the lake's collation takes for one are
/// versions of a row.
pub(crate) fn tells_rows_by_its_key(lake: &Table, plan: &MergePlan, delta: &Delta) -> bool {
    !lake.key().is_empty() && !plan.keys.is_empty() && !goes_by_other_columns(lake, plan, delta)
}

/// By which the lake compares a part of the merge's key.
pub(crate) fn collation<'a>(key: &KeyPair, takes: &'a [Taken]) -> Option<&'a Collation> {
    let taken = takes.get(key.source as usize)?;
    taken.column.collation.as_ref()
}

/// How the lake tells values of a key column apart that may be one for the target; `None` where there are none.
fn spelling(
    source: Option<&SourceColumn>,
    target: SqlType,
    collation: Option<&str>,
) -> Option<Spelling> {
    match (target.logical(), source) {
        // Values of a server, which had one rule for zeros at the end.
        (LogicalType::Binary, Some(_)) => None,
        (LogicalType::Binary, None) | (LogicalType::Text, None) => Some(Spelling::Exact),
        (LogicalType::Text, Some(source)) => {
            let Some(own) = &source.collation else {
                return Some(Spelling::Exact);
            };
            let same_name = collation.is_some_and(|there| there.eq_ignore_ascii_case(own));
            // The collations of that name compare text of a code page by other rules than Unicode.
            let by_kind = own.to_ascii_uppercase().starts_with("SQL_");
            let same_kind = is_unicode(source.sql_type) == is_unicode(target);
            match same_name && (same_kind || !by_kind) {
                true => None,
                false => Some(Spelling::Compared {
                    sql_type: source.sql_type,
                    collation: own.clone(),
                }),
            }
        }
        _ => None,
    }
}

fn is_unicode(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::NChar(_) | SqlType::NVarChar(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use icehost_plan::Length;

    fn of(source: Option<(SqlType, &str)>, target: SqlType, collation: &str) -> Option<Spelling> {
        let source = source
            .map(|(sql_type, collation)| SourceColumn::new(sql_type, Some(collation.to_owned())));
        spelling(source.as_ref(), target, Some(collation))
    }

    const UNICODE: SqlType = SqlType::NVarChar(Length::Limited(20));
    const CODE_PAGE: SqlType = SqlType::VarChar(Length::Limited(20));

    #[test]
    fn the_same_collation_asks_nothing() {
        let general = "Latin1_General_CI_AS";
        assert_eq!(of(Some((UNICODE, general)), UNICODE, general), None);
        assert_eq!(of(Some((CODE_PAGE, general)), UNICODE, general), None);
        let sql = "SQL_Latin1_General_CP1_CI_AS";
        assert_eq!(of(Some((CODE_PAGE, sql)), CODE_PAGE, sql), None);
        assert!(of(Some((CODE_PAGE, sql)), UNICODE, sql).is_some());
        assert!(of(Some((UNICODE, "Latin1_General_CS_AS")), UNICODE, general).is_some());
    }

    #[test]
    fn without_a_source_every_spelling_is_a_key() {
        assert_eq!(
            of(None, UNICODE, "Latin1_General_BIN2"),
            Some(Spelling::Exact)
        );
        let binary = SqlType::VarBinary(Length::Limited(8));
        assert_eq!(spelling(None, binary, None), Some(Spelling::Exact));
        assert_eq!(spelling(None, SqlType::Int, None), None);
    }
}
