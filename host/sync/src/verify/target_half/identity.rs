//! By which rules the rows of a lake and its target are told apart.

use std::collections::BTreeMap;

use icehost_lake::LakeTable;
use icehost_plan::{Collation, Column, Delta, LogicalType, SqlType, Table, ValidMergePlan};
use icehost_sqlserver::{KeyColumn, SqlTable};

use crate::Target;
use crate::delivery::landing::goes_by_other_columns;
use crate::delivery::own_key::each_is_its_own;
use crate::delivery::table::Taken;
use crate::rows::source_columns::SourceColumns;
use crate::verify::compare::apart::{Asked, Server, compared};
use crate::verify::compare::fold::Fold;
use crate::verify::compare::shape::Shape;

/// How the columns of the key compare, by their ordinals in the lake. What one key is, the lake has from its source; a
/// merge that is told which of several rows counts goes by the target's own notion. Without either, each spelling is a
/// key of its own, and a run refuses those that the target takes for one.
#[derive(Debug, Default)]
pub(crate) struct Identity(BTreeMap<u32, Compares>);

#[derive(Debug, Clone)]
struct Compares {
    sql_type: SqlType,
    collation: Option<Collation>,
}

impl Identity {
    /// `source` are the source's columns.
    pub(crate) fn of(
        (lake, source): (&LakeTable, &SourceColumns),
        description: &Table,
        takes: &[Taken],
        (plan, delta): (&ValidMergePlan, &Delta),
        target: &SqlTable,
    ) -> Identity {
        let versions = !goes_by_other_columns(description, plan, delta)
            && !each_is_its_own(lake, description, plan, delta);
        let by_target = !versions && !plan.deduplicate.is_empty();
        let there = || {
            let keys = plan.keys.iter();
            keys.filter_map(|key| {
                let column = target.columns.get(key.target as usize)?;
                let ordinal = takes.get(key.source as usize)?.ordinal;
                let compares = Compares {
                    sql_type: column.sql_type,
                    collation: column.collation.as_deref().map(Collation::from_name),
                };
                Some((ordinal, compares))
            })
        };
        if by_target {
            return Identity(there().collect());
        }
        let own = |(ordinal, column): (u32, &Column)| {
            let of = source.get(&column.name)?;
            let compares = Compares {
                sql_type: of.sql_type,
                collation: of.collation.as_deref().map(Collation::from_name),
            };
            let same_kind = compares.sql_type.logical() == column.column_type.logical();
            same_kind.then_some((ordinal, compares))
        };
        Identity((0..).zip(&description.columns).filter_map(own).collect())
    }

    /// The collation of a column.
    pub(crate) fn collation(&self, ordinal: u32) -> Option<&Collation> {
        let compares = self.0.get(&ordinal)?;
        let text = compares.sql_type.logical() == LogicalType::Text;
        compares.collation.as_ref().filter(|_| text)
    }

    /// What certainly makes no other key of it.
    pub(crate) fn certain(&self, ordinal: u32) -> Option<Fold> {
        Fold::certain(self.collation(ordinal))
    }

    /// The question which keys are one. `ordinals` are those of the shape's columns.
    pub(crate) fn asked<'a>(
        &self,
        target: &'a Target,
        shape: &Shape,
        ordinals: impl Fn(usize) -> Option<u32>,
    ) -> Asked<'a> {
        let column = |&at: &usize| -> Option<KeyColumn> {
            let compares = self.0.get(&ordinals(at)?)?;
            compared(compares.sql_type, compares.collation.as_ref())
        };
        Asked {
            server: Server::Target(target),
            columns: shape.key.iter().map(column).collect(),
        }
    }
}
