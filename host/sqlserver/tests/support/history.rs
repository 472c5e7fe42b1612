//! A table that keeps every version of its rows, and the plan that adds to it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use icehost_plan::{
    Action, Assignment, Clause, Column, ColumnType, Comparison, Contents, Delta, Expression,
    KeyPair, LakeType, MergePlan, Node, Occasion, Operation, Side, Succession, ValidMergePlan,
    Value, WriteMode,
};
use icehost_sqlserver::{
    Connection, Loader, MergeCounts, Position, Previous, Result, SqlTable, TableName,
};
use uuid::Uuid;

use super::Server;

/// A row of the delta: key, value, operation (0 delete, 1 insert, 2 update).
pub type Row = (&'static str, Option<i32>, i32);

/// One delta after another into a history.
pub struct History {
    pub name: TableName,
    pub target: SqlTable,
    pub lake: Uuid,
    pub snapshot: i64,
}

impl History {
    /// A table of versions with a key that the server hands out and text keys of a collation that ignores case.
    pub async fn create(
        server: &mut Server,
        connection: &mut Connection,
        name: TableName,
    ) -> History {
        server
            .execute(&format!(
                "CREATE TABLE {} (HistoryId int IDENTITY(1,1) NOT NULL PRIMARY KEY, Code varchar(10) NOT NULL, V int NULL, \
                 FromRun int NOT NULL, ToRun int NULL)",
                name.sql()
            ))
            .await;
        connection.ensure_positions().await.unwrap();
        let target = super::introspect(connection, &name).await;
        History {
            name,
            target,
            lake: Uuid::new_v4(),
            snapshot: 0,
        }
    }

    /// Loads rows as run number `run`.
    pub async fn load(
        &mut self,
        connection: &mut Connection,
        run: i32,
        contents: Contents,
        rows: &[Row],
    ) -> Result<MergeCounts> {
        let (delta, batch) = delta(contents, rows);
        let plan = self.plan(&delta, run);
        let position = Position {
            lake_table: "demo.t".to_owned(),
            lake_uuid: self.lake,
            lake_location: None,
            previous: (self.snapshot > 0).then(|| Previous {
                snapshot_id: self.snapshot,
                run_id: "run".to_owned(),
            }),
            snapshot_id: self.snapshot + 1,
            sequence_number: 1,
            run_id: "run".to_owned(),
            merge: None,
        };
        let mut loader = Loader::begin(connection, &self.target, &delta.columns).await?;
        loader.stage(&batch).await?;
        let counts = loader.merge(&plan, &delta, &position).await?;
        self.snapshot += 1;
        Ok(counts)
    }

    /// Closes what is deleted or missing, keeps what is the same, supersedes what changed and adds the rest, with
    /// the run's number for its time.
    pub fn plan(&self, delta: &Delta, run: i32) -> ValidMergePlan {
        let at = |name: &str| self.target.ordinal(name).unwrap() as u32;
        let (code, v, from, to) = (at("Code"), at("V"), at("FromRun"), at("ToRun"));
        let assign = |target, node| Assignment {
            target,
            value: tree(vec![node]),
        };
        let now = || Node::Literal(Value::Integer(run.into()));
        let new = || {
            vec![
                assign(code, source(0)),
                assign(v, source(1)),
                assign(from, now()),
            ]
        };
        let close = || vec![assign(to, now())];
        let clause = |occasion, condition, action| Clause {
            occasion,
            condition,
            action,
        };
        // Equal, or both NULL.
        let same = tree(vec![
            source(1),
            target(v),
            compare(0, 1),
            Node::IsNull(0),
            Node::IsNull(1),
            Node::AllOf(vec![3, 4]),
            Node::AnyOf(vec![2, 5]),
        ]);
        let mut clauses = vec![
            clause(Occasion::Matched, Some(same), Action::Skip),
            clause(
                Occasion::Matched,
                None,
                Action::Supersede(Succession {
                    old: close(),
                    new: new(),
                }),
            ),
            clause(Occasion::NotMatched, None, Action::Write(new())),
            clause(Occasion::NotMatchedBySource, None, Action::Write(close())),
        ];
        if let Some(operation) = delta.operation {
            let gone = Value::Integer(Operation::Delete as i64);
            let is_delete = || {
                Some(tree(vec![
                    source(operation),
                    Node::Literal(gone.clone()),
                    compare(0, 1),
                ]))
            };
            clauses.pop();
            clauses.insert(
                0,
                clause(Occasion::Matched, is_delete(), Action::Write(close())),
            );
            clauses.insert(1, clause(Occasion::NotMatched, is_delete(), Action::Skip));
        }
        let plan = MergePlan {
            keys: vec![KeyPair {
                source: 0,
                target: code,
            }],
            among: Some(tree(vec![target(to), Node::IsNull(0)])),
            deduplicate: Vec::new(),
            clauses,
            mode: WriteMode::MergeOnRead,
        };
        plan.validate(&self.target.table, delta).unwrap()
    }

    /// Every version: key, value, from, to.
    pub async fn versions(&self, server: &mut Server) -> Vec<String> {
        let rows = server
            .query(&format!(
                "SELECT Code, V, FromRun, ToRun FROM {} ORDER BY Code, FromRun, V",
                self.name.sql()
            ))
            .await;
        rows.into_iter().map(|row| row.join(" ")).collect()
    }
}

/// The rows, described and as a batch.
pub fn delta(contents: Contents, rows: &[Row]) -> (Delta, RecordBatch) {
    let column = |name: &str, lake| Column::new(name, ColumnType::Lake(lake), true);
    let mut columns = vec![column("Code", LakeType::String), column("V", LakeType::Int)];
    let codes: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let values: ArrayRef = Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.1)));
    let mut arrays = vec![("Code", codes), ("V", values)];
    let changes = contents == Contents::Changes;
    if changes {
        let operations = rows.iter().map(|row| row.2);
        columns.push(Delta::operation_column());
        arrays.push((
            "icehost_operation",
            Arc::new(Int32Array::from_iter_values(operations)),
        ));
    }
    let delta = Delta {
        columns,
        contents,
        operation: changes.then_some(2),
        rows: rows.len() as u64,
        run_time: 0,
    };
    (delta, RecordBatch::try_from_iter(arrays).unwrap())
}

fn source(column: u32) -> Node {
    Node::Column {
        side: Side::Source,
        column,
    }
}

fn target(column: u32) -> Node {
    Node::Column {
        side: Side::Target,
        column,
    }
}

fn compare(left: u32, right: u32) -> Node {
    Node::Compare {
        op: Comparison::Eq,
        left,
        right,
    }
}

fn tree(nodes: Vec<Node>) -> Expression {
    Expression {
        root: nodes.len() as u32 - 1,
        nodes,
    }
}
