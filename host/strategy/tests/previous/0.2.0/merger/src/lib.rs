//! A merger for version 0.2.0 of the contract, without an SDK.

wit_bindgen::generate!({
    path: "../../../../../../wit/0.2.0",
    world: "merger",
});

use exports::icehost::strategy::merge::{
    Action, Assignment, Clause, Delta, Guest as Merge, KeyPair, MergePlan, Occasion, Succession,
    WriteMode,
};
use exports::icehost::strategy::metadata::{Description, Guest as Metadata};
use icehost::strategy::types::{ColumnRef, Error, Expression, Node, Side, Table, Value};

struct Merger;

impl Metadata for Merger {
    fn describe() -> Description {
        Description {
            name: "previous-merger".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "keeps versions, with what 0.2.0 brought".to_owned(),
            options_schema: r#"{"type":"object"}"#.to_owned(),
        }
    }
}

impl Merge for Merger {
    fn plan(_: Table, delta: Delta, _: String) -> Result<MergePlan, Error> {
        let node = |node| Expression {
            nodes: vec![node],
            root: 0,
        };
        let source = |column| {
            node(Node::Column(ColumnRef {
                side: Side::Source,
                column,
            }))
        };
        let write = |target, value| Assignment { target, value };
        let current = Expression {
            nodes: vec![
                Node::Column(ColumnRef {
                    side: Side::Target,
                    column: 3,
                }),
                Node::IsNull(0),
                Node::Negate(1),
            ],
            root: 2,
        };
        let now = node(Node::Literal(Value::Timestamp(delta.run_time)));
        let succession = Succession {
            old: vec![write(3, now)],
            new: vec![write(0, source(0)), write(1, source(1))],
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
            among: Some(current),
            deduplicate: Vec::new(),
            clauses: vec![
                clause(Occasion::Matched, Action::Supersede(succession)),
                clause(Occasion::NotMatched, Action::WriteAll),
            ],
            mode: WriteMode::MergeOnRead,
        })
    }
}

export!(Merger);
