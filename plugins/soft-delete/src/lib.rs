//! `soft-delete`: like `upsert`, but rows that are gone stay and are marked.

mod tombstone;

use icehost_sdk::prelude::*;

use tombstone::Tombstone;

/// The strategy.
pub struct SoftDelete;

icehost_sdk::options! {
    /// What users may set.
    pub struct SoftDeleteOptions {
        /// The target's column that says that a row is gone: a bit, or an integer that is 1 then and 0
        /// otherwise. By default the only one whose name says so, such as IsDeleted.
        pub column: Option<String>,
        /// The target's column that says when a row was found to be gone: the time of the run, in UTC, and NULL for
        /// rows that are there. By default the only one whose name says so, such as DeletedAt; else there is none.
        pub deleted_at: Option<String>,
        /// The columns that identify a row. By default the target's primary key or identifier fields, else
        /// the source's.
        pub keys: Option<Vec<String>>,
        /// Whether rows that a complete read of the source did not find are marked.
        pub mark_missing: bool = false,
    }
}

impl Merger for SoftDelete {
    const NAME: &'static str = "soft-delete";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "updates rows whose key is known and inserts the others; marks rows that are gone instead of deleting them";
    type Options = SoftDeleteOptions;

    fn plan(context: &MergeContext<SoftDeleteOptions>) -> Result<MergePlan, Error> {
        let tombstone = Tombstone::find(context)?;
        let keys = context.keys(context.options.keys.as_deref())?;
        let clauses = clauses(context, &tombstone, &keys);
        Ok(MergePlan::new(keys, clauses))
    }
}

fn clauses(
    context: &MergeContext<SoftDeleteOptions>,
    tombstone: &Tombstone,
    keys: &[KeyPair],
) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let mark = || Action::Write(tombstone.gone());
    if let Some(deleted) = context.delta.deleted() {
        // A row that is marked keeps the time at which it was.
        if tombstone.has_time() {
            let already = deleted.clone().and(tombstone.is_marked());
            clauses.push(Clause::matched(Action::Skip).when(already));
        }
        clauses.push(Clause::matched(mark()).when(deleted.clone()));
        clauses.push(Clause::not_matched(Action::Skip).when(deleted));
    }
    // A row that comes again is there again.
    let write = |wanted: &dyn Fn(ColumnId, &Column) -> bool| {
        let mut assignments = assignments(context, tombstone, wanted);
        assignments.extend(tombstone.there());
        Action::Write(assignments)
    };
    let in_key = |id: ColumnId| keys.iter().any(|key| key.target == id);
    clauses.push(Clause::matched(write(&|id, column| {
        let same = in_key(id) && !may_be_spelled_anew(column);
        !same && !column.identity
    })));
    clauses.push(Clause::not_matched(write(&|_, _| true)));
    if context.options.mark_missing && context.delta.contents == Contents::Snapshot {
        clauses.push(Clause::not_matched_by_source(mark()).when(tombstone.is_not_marked()));
    }
    clauses
}

/// Whether keys that are one may differ: in case and blanks at the end, in zeros at the end, in the offset.
fn may_be_spelled_anew(column: &Column) -> bool {
    matches!(
        column.kind,
        LogicalType::Text | LogicalType::Binary | LogicalType::TimestampTz
    )
}

/// The delta's columns into the target's of the same name, where these are wanted and can be written.
fn assignments(
    context: &MergeContext<SoftDeleteOptions>,
    tombstone: &Tombstone,
    wanted: &dyn Fn(ColumnId, &Column) -> bool,
) -> Vec<Assignment> {
    (0..)
        .zip(&context.target.columns)
        .filter(|&(id, column)| !tombstone.contains(id) && column.writable && wanted(id, column))
        .filter_map(|(id, column)| {
            let source = context.delta.find(&column.name)?;
            (Some(source) != context.delta.operation).then(|| Assignment {
                target: id,
                value: col(source).into(),
            })
        })
        .collect()
}

icehost_sdk::export_merger!(SoftDelete);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn context(options: &str, contents: Contents) -> MergeContext<SoftDeleteOptions> {
        let integer = |name: &str| Column::new(name, LogicalType::Integer, "int");
        let columns = || vec![integer("Id").key(0), integer("Amount")];
        let mut target = columns();
        target.push(Column::new("Is_Deleted", LogicalType::Boolean, "bit"));
        let mut delta = Delta::new(columns(), contents);
        if contents == Contents::Changes {
            delta.columns.push(integer("op"));
            delta.operation = Some(2);
        }
        MergeContext {
            target: Table::new("dbo.Lines", target),
            delta,
            options: icehost_sdk::options::parse(options).unwrap(),
        }
    }

    fn set(target: ColumnId, value: Scalar) -> Assignment {
        Assignment {
            target,
            value: value.into(),
        }
    }

    #[test]
    fn a_deleted_row_is_marked_and_one_that_comes_again_is_not() {
        let plan = SoftDelete::plan(&context("{}", Contents::Changes)).unwrap();
        let deleted = || col(2).eq(lit(0));
        let wanted = [
            Clause::matched(Action::Write(vec![set(2, lit(true))])).when(deleted()),
            Clause::not_matched(Action::Skip).when(deleted()),
            Clause::matched(Action::Write(vec![set(1, col(1)), set(2, lit(false))])),
            Clause::not_matched(Action::Write(vec![
                set(0, col(0)),
                set(1, col(1)),
                set(2, lit(false)),
            ])),
        ];
        assert_eq!(plan.clauses, wanted);
        assert_eq!(plan.keys.len(), 1);
    }

    #[test]
    fn a_key_of_text_is_written_as_it_is_spelled_now() {
        for (kind, written) in [
            (LogicalType::Text, true),
            (LogicalType::Binary, true),
            (LogicalType::TimestampTz, true),
            (LogicalType::Date, false),
        ] {
            let mut context = context("{}", Contents::Upserts);
            context.target.columns[0].kind = kind;
            context.delta.columns[0].kind = kind;
            let plan = SoftDelete::plan(&context).unwrap();
            let Action::Write(assignments) = &plan.clauses[0].action else {
                panic!("{:?}", plan.clauses[0]);
            };
            assert_eq!(assignments.contains(&set(0, col(0))), written, "{kind:?}");
        }
    }

    #[test]
    fn rows_that_a_complete_read_missed_are_marked_once_where_that_is_asked_for() {
        let marks = |options, contents| {
            let plan = SoftDelete::plan(&context(options, contents)).unwrap();
            let of_target = |clause: &&Clause| clause.occasion == Occasion::NotMatchedBySource;
            plan.clauses.iter().filter(of_target).count()
        };
        assert_eq!(marks(r#"{"mark-missing":true}"#, Contents::Snapshot), 1);
        assert_eq!(marks(r#"{"mark-missing":true}"#, Contents::Upserts), 0);
        assert_eq!(marks("{}", Contents::Snapshot), 0);
    }

    /// Its time is the run's, to the milliseconds that the column has.
    fn with_time(options: &str, contents: Contents) -> Vec<Clause> {
        let mut context = context(options, contents);
        context.delta.run_time = 12_345_678;
        let column = Column::new("Deleted_At", LogicalType::Timestamp, "datetime2(3)");
        context.target.columns.push(column.nullable());
        SoftDelete::plan(&context).unwrap().clauses
    }

    #[test]
    fn the_time_is_set_once_and_cleared_when_the_row_comes_again() {
        let now = || lit(Value::Timestamp(12_340_000));
        let marks = || Action::Write(vec![set(2, lit(true)), set(3, now())]);
        let deleted = || col(2).eq(lit(0));
        let clauses = with_time("{}", Contents::Changes);
        let already = deleted().and(target_col(2).eq(lit(true)));
        assert_eq!(clauses[0], Clause::matched(Action::Skip).when(already));
        assert_eq!(clauses[1], Clause::matched(marks()).when(deleted()));
        let there = vec![set(1, col(1)), set(2, lit(false)), set(3, lit(Value::Null))];
        assert_eq!(clauses[3], Clause::matched(Action::Write(there)));
        let missing = with_time(r#"{"mark-missing":true}"#, Contents::Snapshot);
        assert_eq!(missing.last().map(|clause| &clause.action), Some(&marks()));
    }

    #[test]
    fn the_time_has_a_column_of_its_own() {
        let code = |options: &str| {
            let mut context = context(options, Contents::Upserts);
            let times = ["DeletedAt", "Gone", "Never"];
            let columns =
                times.map(|name| Column::new(name, LogicalType::Timestamp, "datetime2(3)"));
            context.target.columns.extend(columns.map(Column::nullable));
            context.target.columns[5].nullable = false;
            context
                .delta
                .columns
                .push(context.target.columns[3].clone());
            SoftDelete::plan(&context).map(drop).map_err(|e| e.code)
        };
        assert_eq!(code("{}"), Ok(()));
        assert_eq!(code(r#"{"deleted-at":"gone"}"#), Ok(()));
        for (name, wanted) in [
            ("deletedat", "not-a-tombstone"),
            ("amount", "wrong-type"),
            ("never", "wrong-type"),
        ] {
            let options = format!(r#"{{"deleted-at":"{name}"}}"#);
            assert_eq!(code(&options), Err(wanted.to_owned()), "{name}");
        }
    }

    /// A column of the source is none to choose, and where there is no other one the table lacks it.
    #[test]
    fn columns_are_offered_that_are_taken() {
        let told = |options: &str, change: fn(&mut MergeContext<SoftDeleteOptions>)| {
            let mut context = context(options, Contents::Upserts);
            change(&mut context);
            SoftDelete::plan(&context).unwrap_err().message
        };
        let two = told("{}", |c| {
            c.target.columns[2].name = "Gone".to_owned();
            let another = Column::new("Away", LogicalType::Integer, "int");
            c.target.columns.push(another);
        });
        assert!(
            two.ends_with("set column to one of 'Gone', 'Away'"),
            "{two}"
        );
        let none = |c: &mut MergeContext<_>| drop(c.target.columns.pop());
        let lacks = told("{}", none);
        assert!(lacks.contains("such as IsDeleted bit"), "{lacks}");
        let wrong = told(r#"{"column":"x"}"#, |c| {
            c.target
                .columns
                .push(Column::new("x", LogicalType::Text, "text"));
        });
        assert!(wrong.ends_with("columns that fit: 'Is_Deleted'"), "{wrong}");
    }

    #[test]
    fn the_column_is_obvious_or_named() {
        let code = |options, change: fn(&mut MergeContext<SoftDeleteOptions>)| {
            let mut context = context(options, Contents::Upserts);
            change(&mut context);
            SoftDelete::plan(&context).map(drop).map_err(|e| e.code)
        };
        assert_eq!(code(r#"{"column":"is_deleted"}"#, |_| {}), Ok(()));
        let renamed = |c: &mut MergeContext<_>| c.target.columns[2].name = "X".to_owned();
        assert_eq!(code("{}", renamed), Err("no-tombstone".to_owned()));
        assert_eq!(code(r#"{"column":"x"}"#, renamed), Ok(()));
        let other = |c: &mut MergeContext<_>| c.target.columns[2].kind = LogicalType::Text;
        assert_eq!(
            code(r#"{"column":"is_deleted"}"#, other),
            Err("wrong-type".to_owned())
        );
        assert_eq!(
            code(r#"{"column":"amount"}"#, |_| {}),
            Err("not-a-tombstone".to_owned())
        );
    }
}
