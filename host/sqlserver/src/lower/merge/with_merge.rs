//! One MERGE statement (T-SQL reference, "MERGE").

use super::Context;
use super::clauses::{self, Clauses, Effect, Effects};
use super::matching::Matching;
use crate::error::Result;
use crate::statement::{Parameters, Statement};

/// `HOLDLOCK` keeps another session from inserting a key between the look and the insert. `OUTPUT … INTO`
/// works on tables with triggers, where `OUTPUT` alone does not (error 334).
///
/// What the plan says of the target's rows alone stands in `ON`, so that a key whose rows take no part is not
/// matched; to `NOT MATCHED BY SOURCE` all of these rows are without a counterpart, so it says the same again.
pub(super) fn statement(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<(Statement, bool)> {
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    let mut text = format!(
        "MERGE {} WITH (HOLDLOCK) AS T\nUSING {}\nON {}",
        context.target.name.sql(),
        context.source(),
        matching.on()
    );
    let matched = clauses::effects(context, &clauses.matched, &mut parameters, true)?;
    change(&mut text, "WHEN MATCHED", matched);
    let inserted = clauses::effects(context, &clauses.not_matched, &mut parameters, true)?;
    let identity = inserted
        .write
        .as_ref()
        .is_some_and(|insert| insert.identity);
    if let Some(insert) = inserted.write {
        when(&mut text, "WHEN NOT MATCHED BY TARGET", &insert);
        let (columns, values): (Vec<String>, Vec<String>) = insert.assignments.into_iter().unzip();
        text.push_str(&format!(
            "INSERT ({})\n    VALUES ({})",
            columns.join(", "),
            values.join(", ")
        ));
    }
    let orphans = clauses::effects(
        context,
        &clauses.not_matched_by_source,
        &mut parameters,
        true,
    )?;
    let occasion = format!("WHEN NOT MATCHED BY SOURCE{}", matching.among);
    change(&mut text, &occasion, orphans);
    // Without a clause there is nothing to do, and MERGE wants one.
    if !text.contains("\nWHEN ") {
        let nothing = "SELECT CAST(0 AS bigint), CAST(0 AS bigint), CAST(0 AS bigint);";
        return Ok((Statement::plain(nothing), false));
    }
    text.push_str("\nOUTPUT $action INTO @actions ([action]);");
    let statement = parameters.finish(format!(
        "DECLARE @actions TABLE ([action] nvarchar(10) NOT NULL);
{text}
SELECT COUNT_BIG(CASE WHEN [action] = 'INSERT' THEN 1 END),
       COUNT_BIG(CASE WHEN [action] = 'UPDATE' THEN 1 END),
       COUNT_BIG(CASE WHEN [action] = 'DELETE' THEN 1 END)
FROM @actions;"
    ));
    Ok((statement, identity))
}

/// The clauses that update and delete rows of the target, in the plan's order.
fn change(text: &mut String, occasion: &str, effects: Effects) {
    let delete = |text: &mut String, delete: &Option<Effect>| {
        if let Some(delete) = delete {
            when(text, occasion, delete);
            text.push_str("DELETE");
        }
    };
    if effects.delete_first {
        delete(text, &effects.delete);
    }
    if let Some(update) = effects
        .write
        .filter(|update| !update.assignments.is_empty())
    {
        when(text, occasion, &update);
        text.push_str("UPDATE SET ");
        text.push_str(&set_list(&update));
    }
    if !effects.delete_first {
        delete(text, &effects.delete);
    }
}

fn when(text: &mut String, occasion: &str, effect: &Effect) {
    text.push('\n');
    text.push_str(occasion);
    if let Some(condition) = &effect.condition {
        text.push_str(&format!(" AND ({condition})"));
    }
    text.push_str(" THEN\n    ");
}

pub(super) fn set_list(update: &Effect) -> String {
    let assignments: Vec<String> = update
        .assignments
        .iter()
        .map(|(column, value)| format!("{column} = {value}"))
        .collect();
    assignments.join(", ")
}
