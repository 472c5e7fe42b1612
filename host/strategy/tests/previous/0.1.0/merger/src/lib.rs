//! A merger for version 0.1.0 of the contract, without an SDK.

wit_bindgen::generate!({
    path: "../../../../../../wit/0.1.0",
    world: "merger",
});

use exports::icehost::strategy::merge::{
    Action, Assignment, Clause, Delta, Guest as Merge, KeyPair, MergePlan, Occasion, WriteMode,
};
use exports::icehost::strategy::metadata::{Description, Guest as Metadata};
use icehost::strategy::types::{ColumnRef, Error, Expression, Node, Side, Table};

struct Merger;

impl Metadata for Merger {
    fn describe() -> Description {
        Description {
            name: "previous-merger".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "overwrites and adds".to_owned(),
            options_schema: r#"{"type":"object"}"#.to_owned(),
        }
    }
}

impl Merge for Merger {
    fn plan(_: Table, _: Delta, _: String) -> Result<MergePlan, Error> {
        let second = Expression {
            nodes: vec![Node::Column(ColumnRef {
                side: Side::Source,
                column: 1,
            })],
            root: 0,
        };
        let clause = |occasion, action| Clause {
            occasion,
            condition: None,
            action,
        };
        Ok(MergePlan {
            keys: vec![KeyPair {
                source: 0,
                target: 0,
            }],
            deduplicate: Vec::new(),
            clauses: vec![
                clause(
                    Occasion::Matched,
                    Action::Write(vec![Assignment {
                        target: 1,
                        value: second,
                    }]),
                ),
                clause(Occasion::NotMatched, Action::WriteAll),
                clause(Occasion::NotMatchedBySource, Action::Delete),
            ],
            mode: WriteMode::MergeOnRead,
        })
    }
}

export!(Merger);
