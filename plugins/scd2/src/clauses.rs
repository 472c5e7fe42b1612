//! What becomes of the versions.

use icehost_sdk::prelude::*;

use crate::Context;
use crate::columns::{Begins, HistoryColumns};

/// Most nodes that the host takes in an expression.
const MOST_NODES: usize = 1024;

/// The columns of the source, by what a change of theirs means.
struct Content {
    /// All, as a new version has them.
    all: Vec<SharedColumn>,
    /// Those that begin a new version.
    compared: Vec<SharedColumn>,
    /// Those that are overwritten in the current version.
    others: Vec<SharedColumn>,
    /// Those, of the key too, that may be the same for the server and yet another value: in case and blanks at the end, in
    /// zeros at the end, in the offset.
    spelled: Vec<SharedColumn>,
}

impl Content {
    /// These columns of the current version, and how the others are spelled now.
    fn with_spelling(&self, columns: &[SharedColumn]) -> Vec<SharedColumn> {
        let mut all = self.spelled.clone();
        all.retain(|column| !columns.contains(column));
        all.splice(..0, columns.iter().copied());
        all
    }
}

pub(crate) fn clauses(
    context: &Context,
    history: &HistoryColumns,
    keys: &[KeyPair],
    begins: &Begins,
) -> Result<Vec<Clause>, Error> {
    let content = content(context, history, keys, begins)?;
    let new = || {
        let shared = content.all.iter().map(|column| column.assignment());
        shared.chain(history.opened(begins)).collect::<Vec<_>>()
    };
    let mut clauses = Vec::new();
    let missing = context.options.close_missing && context.delta.contents == Contents::Snapshot;
    if let Some(deleted) = context.delta.deleted() {
        let [usual, empty] = closing(context, history);
        let usual_delete = match usual.condition {
            Some(condition) => deleted.clone().and(condition),
            None => deleted.clone(),
        };
        clauses.push(Clause::matched(usual.action).when(usual_delete));
        clauses.push(Clause::matched(empty.action).when(deleted.clone()));
        clauses.push(Clause::not_matched(Action::Skip).when(deleted));
    }

    let write = |columns: &[SharedColumn]| {
        let assignments = columns.iter().map(|column| column.assignment());
        Action::Write(assignments.chain(history.told()).collect())
    };
    let written: Vec<SharedColumn> = [content.compared.as_slice(), &content.others].concat();
    // What comes again as it is changes nothing, where its current version is told as such. Whether it does, the server
    // cannot be asked of text: there it is written as it comes.
    let told = match history.is_told() {
        Some(told) => told.and(history.is_open()),
        None => history.is_open(),
    };
    let settled = match none_differs(&written) {
        Some(same) => match fitting(same.clone().and(told)) {
            Ok(settled) => settled,
            // An end that was written under other settings stays as it is where there is no room to ask for it.
            Err(_) => fitting(match history.is_told() {
                Some(told) => same.and(told),
                None => same,
            })?,
        },
        None => told,
    };
    if content.spelled.is_empty() {
        clauses.push(Clause::matched(Action::Skip).when(settled));
    }
    let others = content.with_spelling(&content.others);
    clauses.push(match none_differs(&content.compared) {
        Some(same) => Clause::matched(write(&others)).when(same),
        None => Clause::matched(write(&others)),
    });
    if !content.compared.is_empty() {
        let later = begins.at.clone().gt(target_col(history.from));
        let supersede = Action::supersede(history.closed(begins.at.clone()), new());
        clauses.push(Clause::matched(supersede).when(later));
        // A version that would begin before the current one, or with it, corrects that.
        clauses.push(Clause::matched(write(&content.with_spelling(&written))));
    }
    clauses.push(Clause::not_matched(Action::Write(new())));
    if missing {
        for closing in closing(context, history) {
            let clause = Clause::not_matched_by_source(closing.action);
            clauses.push(match closing.condition {
                Some(condition) => clause.when(condition),
                None => clause,
            });
        }
    }
    Ok(clauses)
}

/// How the current version of a row that is gone is closed.
struct Closing {
    condition: Option<Predicate>,
    action: Action,
}

/// Now; or, where it has not even begun, so that it never counted.
fn closing(context: &Context, history: &HistoryColumns) -> [Closing; 2] {
    let now = || lit(history.now.clone());
    let from = || target_col(history.from);
    let nullable = context
        .target
        .get(history.from)
        .is_some_and(|column| column.nullable);
    let begun = match nullable {
        true => coalesce([from(), now()]),
        false => from(),
    };
    [
        Closing {
            condition: Some(from().lt(now())),
            action: Action::Write(history.closed(now())),
        },
        Closing {
            condition: None,
            action: Action::Write(history.closed(begun)),
        },
    ]
}

fn content(
    context: &Context,
    history: &HistoryColumns,
    keys: &[KeyPair],
    begins: &Begins,
) -> Result<Content, Error> {
    let mut all = context.shared();
    all.retain(|column| !history.contain(column.target));
    let in_key = |column: &SharedColumn| keys.iter().any(|key| key.target == column.target);
    let is_identity = |column: &SharedColumn| {
        let found = context.target.get(column.target);
        found.is_some_and(|column| column.identity)
    };
    // Neither can be changed in place.
    let content = all
        .iter()
        .copied()
        .filter(|column| !in_key(column) && !is_identity(column));
    let is_spelled = |column: &SharedColumn| {
        let kind = context.target.get(column.target).map(|column| column.kind);
        matches!(
            kind,
            Some(LogicalType::Text | LogicalType::Binary | LogicalType::TimestampTz)
        )
    };
    let spelled = all.iter().copied();
    let spelled = spelled.filter(|column| is_spelled(column) && !is_identity(column));
    let named = match &context.options.compare {
        None => None,
        Some(names) => Some(compared(context, names, content.clone().collect())?),
    };
    let (compared, others) = content.partition(|column| match &named {
        Some(named) => named.contains(column),
        None => Some(column.source) != begins.column,
    });
    Ok(Content {
        spelled: spelled.collect(),
        all,
        compared,
        others,
    })
}

/// The columns that the option names.
fn compared(
    context: &Context,
    names: &[String],
    content: Vec<SharedColumn>,
) -> Result<Vec<SharedColumn>, Error> {
    let found = names.iter().map(|name| {
        let target = context.target.require(name)?;
        let column = content.iter().find(|column| column.target == target);
        column.copied().ok_or_else(|| {
            let ids: Vec<ColumnId> = content.iter().map(|column| column.target).collect();
            Error::invalid_options(
                "wrong-column",
                format!(
                    "compare names '{name}', in which a row cannot change; columns in which it can: {}",
                    context.target.names(&ids)
                ),
            )
            .about(target)
        })
    });
    found.collect()
}

/// The comparison of many columns, where the host takes it.
fn fitting(same: Predicate) -> Result<Predicate, Error> {
    let nodes = icehost_sdk::Expression::from(same.clone()).nodes.len();
    if nodes <= MOST_NODES {
        return Ok(same);
    }
    Err(Error::unsupported_table(
        "too-many-columns",
        "the table has too many columns to compare: 145 that may be NULL are the most, or 340 that may not; leave some out \
         of the job",
    ))
}
