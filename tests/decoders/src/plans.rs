//! Plans from bytes, checked and carried as far as a statement.

use arbitrary::{Result, Unstructured};
use icehost_lake::RowChange;
use icehost_plan::{
    Action, Aggregate, AggregateFunction, Assignment, ChangeSource, Clause, Contents, Coverage,
    Delta, Direction, ExtractionPlan, Extreme, KeyPair, MergePlan, MergeViews, Occasion, Probe,
    SortKey, Succession, View, WriteMode, validate_probes,
};
use icehost_sqlserver::lower;

use crate::expression::{expression, value};
use crate::tables::{every_type, grant, sql_table, table};

/// An extraction plan; whether it was valid.
pub fn extraction_plan(bytes: &[u8]) -> bool {
    let mut from = Unstructured::new(bytes);
    let Ok(plan) = extraction(&mut from) else {
        return false;
    };
    let table = table();
    let view = View::new(&grant(&mut from), &table.columns, None);
    let Ok(valid) = plan.validate(&view.table(&table)) else {
        return false;
    };
    let valid = view.extraction(valid);
    // What was valid for the columns that were shown is so for all of them.
    assert!((*valid).clone().validate(&table).is_ok());
    if let Ok(statement) = lower::extraction(&sql_table(), &valid) {
        assert!(statement.sql.starts_with("SELECT "), "{}", statement.sql);
        assert!(!statement.to_string().is_empty());
    }
    true
}

/// Probes, with filters; whether they were valid.
pub fn probes(bytes: &[u8]) -> bool {
    let mut from = Unstructured::new(bytes);
    let Ok(probes) = several(&mut from) else {
        return false;
    };
    let table = table();
    let view = View::new(&grant(&mut from), &table.columns, None);
    if validate_probes(&probes, &view.table(&table)).is_err() {
        return false;
    }
    let probes = view.probes(probes);
    assert!(validate_probes(&probes, &table).is_ok());
    if let Ok(statement) = lower::probes(&sql_table(), &probes) {
        assert!(statement.sql.starts_with("SELECT "), "{}", statement.sql);
        assert!(!statement.to_string().is_empty());
    }
    true
}

fn several(from: &mut Unstructured<'_>) -> Result<Vec<Probe>> {
    let count = from.int_in_range(1..=3)?;
    (0..count).map(|_| probe(from)).collect()
}

fn probe(from: &mut Unstructured<'_>) -> Result<Probe> {
    let columns = every_type().len();
    let filter = match from.ratio(3, 4)? {
        true => Some(expression(from, columns)?),
        false => None,
    };
    let aggregated: bool = from.arbitrary()?;
    if aggregated {
        let of = aggregate(from, columns)?;
        return Ok(Probe::Aggregate { of, filter });
    }
    let named = from.int_in_range(0..=3)?;
    let row = Extreme {
        columns: (0..named)
            .map(|_| column(from, columns))
            .collect::<Result<_>>()?,
        filter,
    };
    Ok(match from.arbitrary()? {
        true => Probe::Greatest(row),
        false => Probe::Least(row),
    })
}

/// A merge plan, for SQL Server with and without MERGE and for the lake; whether it was valid.
pub fn merge_plan(bytes: &[u8]) -> bool {
    let mut from = Unstructured::new(bytes);
    let Ok((plan, delta)) = merge(&mut from) else {
        return false;
    };
    let target = table();
    let grant = grant(&mut from);
    let views = MergeViews {
        target: View::new(&grant, &target.columns, None),
        delta: View::new(&grant, &delta.columns, delta.operation),
    };
    let (shown, shown_delta) = (views.target.table(&target), views.delta.delta(&delta));
    let valid = plan
        .validate(&shown, &shown_delta)
        .and_then(|plan| views.merge(plan, &delta));
    let Ok(valid) = valid else {
        return false;
    };
    assert!((*valid).clone().validate(&target, &delta).is_ok());
    for has_merge in [true, false] {
        if let Ok(statements) = lower::merge(&sql_table(), &delta, &valid, has_merge) {
            assert!(!statements.to_string().is_empty());
        }
    }
    if let Ok(change) = RowChange::from_plan(&valid, &target, &delta) {
        assert!(!change.to_string().is_empty());
    }
    true
}

fn extraction(from: &mut Unstructured<'_>) -> Result<ExtractionPlan> {
    let columns = every_type().len();
    let filter = match from.ratio(3, 4)? {
        true => Some(expression(from, columns)?),
        false => None,
    };
    Ok(ExtractionPlan {
        source: ChangeSource::Rows,
        coverage: match from.arbitrary()? {
            true => Coverage::Full,
            false => Coverage::Incremental,
        },
        columns: match from.ratio(1, 8)? {
            true => from.arbitrary()?,
            false => (0..columns as u32).collect(),
        },
        filter,
        order_by: sort_keys(from, columns)?,
        split_on: match from.ratio(1, 8)? {
            true => Some((from.arbitrary()?, vec![value(from)?])),
            false => None,
        },
        observe: match from.ratio(1, 4)? {
            true => vec![aggregate(from, columns)?],
            false => Vec::new(),
        },
    })
}

fn aggregate(from: &mut Unstructured<'_>, columns: usize) -> Result<Aggregate> {
    Ok(Aggregate {
        function: [
            AggregateFunction::Min,
            AggregateFunction::Max,
            AggregateFunction::Count,
            AggregateFunction::CountNull,
            AggregateFunction::CountDistinct,
        ][from.choose_index(5)?],
        column: column(from, columns)?,
    })
}

fn column(from: &mut Unstructured<'_>, columns: usize) -> Result<u32> {
    match from.ratio(1, 32)? {
        true => from.arbitrary(),
        false => Ok(from.choose_index(columns)? as u32),
    }
}

fn sort_keys(from: &mut Unstructured<'_>, columns: usize) -> Result<Vec<SortKey>> {
    let count = from.int_in_range(0..=2)?;
    let key = |from: &mut Unstructured<'_>| {
        Ok(SortKey {
            column: column(from, columns)?,
            direction: match from.arbitrary()? {
                true => Direction::Ascending,
                false => Direction::Descending,
            },
        })
    };
    (0..count).map(|_| key(from)).collect()
}

fn merge(from: &mut Unstructured<'_>) -> Result<(MergePlan, Delta)> {
    let mut columns = every_type();
    let changes: bool = from.arbitrary()?;
    if changes {
        columns.push(Delta::operation_column());
    }
    let delta = Delta {
        operation: changes.then(|| columns.len() as u32 - 1),
        contents: match (changes, from.arbitrary()?) {
            (true, _) => Contents::Changes,
            (false, true) => Contents::Snapshot,
            (false, false) => Contents::Upserts,
        },
        rows: 7,
        run_time: from.arbitrary()?,
        columns,
    };
    let width = delta.columns.len();
    let mut keys = Vec::new();
    for _ in 0..from.int_in_range(0..=2)? {
        let both = column(from, width)?;
        keys.push(KeyPair {
            source: both,
            target: match from.ratio(1, 8)? {
                true => column(from, width)?,
                false => both,
            },
        });
    }
    let among = match from.ratio(1, 8)? {
        true => Some(expression(from, width)?),
        false => None,
    };
    let mut clauses = Vec::new();
    for _ in 0..from.int_in_range(1..=4)? {
        clauses.push(clause(from, width)?);
    }
    let plan = MergePlan {
        keys,
        among,
        deduplicate: sort_keys(from, width)?,
        clauses,
        mode: [
            WriteMode::Append,
            WriteMode::CopyOnWrite,
            WriteMode::MergeOnRead,
        ][from.choose_index(3)?],
    };
    Ok((plan, delta))
}

fn clause(from: &mut Unstructured<'_>, width: usize) -> Result<Clause> {
    Ok(Clause {
        occasion: [
            Occasion::Matched,
            Occasion::NotMatched,
            Occasion::NotMatchedBySource,
        ][from.choose_index(3)?],
        condition: match from.ratio(1, 4)? {
            true => Some(expression(from, width)?),
            false => None,
        },
        action: match from.int_in_range(0..=4)? {
            0 => Action::WriteAll,
            1 => Action::Delete,
            2 => Action::Skip,
            3 => Action::Write(assignments(from, width)?),
            _ => Action::Supersede(Succession {
                old: assignments(from, width)?,
                new: assignments(from, width)?,
            }),
        },
    })
}

fn assignments(from: &mut Unstructured<'_>, width: usize) -> Result<Vec<Assignment>> {
    let count = from.int_in_range(0..=3)?;
    let assignment = |from: &mut Unstructured<'_>| {
        Ok(Assignment {
            target: column(from, width)?,
            value: expression(from, width)?,
        })
    };
    (0..count).map(|_| assignment(from)).collect()
}
