//! `soft-delete`: like `upsert`, but rows that are gone stay and are marked.

use icehost_sdk::prelude::*;

/// The strategy.
pub struct SoftDelete;

/// What the operation column holds for a row that is gone.
const DELETE: i64 = 0;
/// What a tombstone column is usually called, in lower case without separators.
const USUAL: &[&str] = &["isdeleted", "deleted", "deletedflag", "isremoved"];

icehost_sdk::options! {
    /// What users may set.
    pub struct SoftDeleteOptions {
        /// The target's column that says that a row is gone: a bit, or an integer that is 1 then and 0
        /// otherwise. By default the only one whose name says so, such as IsDeleted.
        pub column: Option<String>,
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
        let tombstone = tombstone(context)?;
        let keys = context.keys(context.options.keys.as_deref())?;
        let clauses = clauses(context, &tombstone, &keys);
        Ok(MergePlan::new(keys, clauses))
    }
}

/// The column that says that a row is gone.
struct Tombstone {
    column: ColumnId,
    gone: Value,
    there: Value,
}

impl Tombstone {
    fn set(&self, value: &Value) -> Assignment {
        Assignment {
            target: self.column,
            value: lit(value.clone()).into(),
        }
    }
}

fn clauses(
    context: &MergeContext<SoftDeleteOptions>,
    tombstone: &Tombstone,
    keys: &[KeyPair],
) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let mark = || Action::Write(vec![tombstone.set(&tombstone.gone)]);
    if let Some(operation) = context.delta.operation {
        let deleted = || col(operation).eq(lit(DELETE));
        clauses.push(Clause::matched(mark()).when(deleted()));
        clauses.push(Clause::not_matched(Action::Skip).when(deleted()));
    }
    // A row that comes again is there again.
    let write = |wanted: &dyn Fn(ColumnId, &Column) -> bool| {
        let mut assignments = assignments(context, tombstone, wanted);
        assignments.push(tombstone.set(&tombstone.there));
        Action::Write(assignments)
    };
    let in_key = |id: ColumnId| keys.iter().any(|key| key.target == id);
    clauses.push(Clause::matched(write(&|id, column| {
        !in_key(id) && !column.identity
    })));
    clauses.push(Clause::not_matched(write(&|_, _| true)));
    if context.options.mark_missing && context.delta.contents == Contents::Snapshot {
        let target = || target_col(tombstone.column);
        let not_yet = target()
            .ne(lit(tombstone.gone.clone()))
            .or(target().is_null());
        clauses.push(Clause::not_matched_by_source(mark()).when(not_yet));
    }
    clauses
}

/// The delta's columns into the target's of the same name, where these are wanted and can be written.
fn assignments(
    context: &MergeContext<SoftDeleteOptions>,
    tombstone: &Tombstone,
    wanted: &dyn Fn(ColumnId, &Column) -> bool,
) -> Vec<Assignment> {
    (0..)
        .zip(&context.target.columns)
        .filter(|&(id, column)| id != tombstone.column && column.writable && wanted(id, column))
        .filter_map(|(id, column)| {
            let source = context.delta.find(&column.name)?;
            (Some(source) != context.delta.operation).then(|| Assignment {
                target: id,
                value: col(source).into(),
            })
        })
        .collect()
}

fn tombstone(context: &MergeContext<SoftDeleteOptions>) -> Result<Tombstone, Error> {
    let target = &context.target;
    let flags = target.columns_where(|column| {
        column.writable && matches!(column.kind, LogicalType::Boolean | LogicalType::Integer)
    });
    let column = match &context.options.column {
        Some(name) => {
            let column = target.require(name)?;
            if !flags.contains(&column) {
                return Err(Error::invalid_options(
                    "wrong-type",
                    format!(
                        "'{name}' is no bit and no integer that can be written; columns that are: {}",
                        target.names(&flags)
                    ),
                )
                .about(column));
            }
            column
        }
        None => {
            let says_so = |id: &&ColumnId| {
                target.get(**id).is_some_and(|column| {
                    let letters = column.name.chars().filter(|c| c.is_alphanumeric());
                    let name: String = letters.flat_map(char::to_lowercase).collect();
                    USUAL.contains(&name.as_str())
                })
            };
            match flags.iter().filter(says_so).collect::<Vec<_>>().as_slice() {
                [only] => **only,
                _ => {
                    return Err(Error::invalid_options(
                        "no-tombstone",
                        format!(
                            "it is not obvious which column of {} says that a row is deleted; set column to one of {}",
                            target.name,
                            target.names(&flags)
                        ),
                    ));
                }
            }
        }
    };
    let name = target.get(column).map_or("", |column| &column.name);
    if context.delta.find(name).is_some() {
        return Err(Error::invalid_options(
            "not-a-tombstone",
            format!("the rows to merge have a column '{name}' of their own"),
        )
        .about(column));
    }
    let is_bit = target
        .get(column)
        .is_some_and(|column| column.kind == LogicalType::Boolean);
    Ok(match is_bit {
        true => Tombstone {
            column,
            gone: Value::Boolean(true),
            there: Value::Boolean(false),
        },
        false => Tombstone {
            column,
            gone: Value::Integer(1),
            there: Value::Integer(0),
        },
    })
}

icehost_sdk::export_merger!(SoftDelete);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
