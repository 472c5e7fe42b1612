//! Views and synonyms.

use super::Parser;
use crate::ast::{CreateView, Expr, Query, QueryBody, SelectItem, StatementKind, TableRef};
use crate::error::{SqlResult, unsupported_clause};
use crate::lexer::TokenKind;
use crate::session::SqlError;

impl Parser<'_> {
    /// `CREATE VIEW name [(column, ..)] AS SELECT ..`, alone in its batch. `start` is where CREATE stands.
    pub(super) fn create_view(&mut self, start: usize, is_first: bool) -> SqlResult<StatementKind> {
        if !is_first {
            return Err(SqlError::new(
                111,
                15,
                1,
                "'CREATE VIEW' must be the first statement in a query batch.",
            )
            .ending_batch());
        }
        let name = self.object_name()?;
        if name.database.is_some() {
            return Err(SqlError::new(
                166,
                15,
                1,
                "'CREATE/ALTER VIEW' does not allow specifying the database name as a prefix to the object name.",
            )
            .ending_batch());
        }
        let columns = match self.at_symbol("(") {
            true => self.name_list()?,
            false => Vec::new(),
        };
        if self.at_word("WITH") {
            return Err(unsupported_clause("CREATE VIEW ... WITH"));
        }
        self.expect_word("AS")?;
        let query = self.query()?;
        check(&query)?;
        if self.at_word("WITH") {
            return Err(unsupported_clause("WITH CHECK OPTION"));
        }
        while self.eat_symbol(";") {}
        if self.peek().kind != TokenKind::End {
            return Err(self.unexpected());
        }
        Ok(StatementKind::CreateView(Box::new(CreateView {
            name,
            columns,
            query,
            text: self.text_since(start),
        })))
    }

    /// `CREATE SYNONYM name FOR object`.
    pub(super) fn create_synonym(&mut self) -> SqlResult<StatementKind> {
        let name = self.object_name()?;
        self.expect_word("FOR")?;
        Ok(StatementKind::CreateSynonym {
            name,
            base: self.object_name()?,
        })
    }
}

/// Columns of tables and joins, perhaps filtered: of these it is certain what columns the view has.
fn check(query: &Query) -> SqlResult<()> {
    let refuse = |what: &str| Err(unsupported_clause(&format!("a view with {what}")));
    let plain = query.with.is_empty()
        && query.order_by.is_empty()
        && query.offset.is_none()
        && query.fetch.is_none();
    let QueryBody::Select(select) = &query.body else {
        return refuse("set operations");
    };
    if !plain || select.distinct || select.top.is_some() || select.into.is_some() {
        return refuse("more than SELECT, FROM and WHERE");
    }
    if !select.group_by.is_empty() || select.having.is_some() {
        return refuse("groups");
    }
    let is_column = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::Expr {
                expr: Expr::Column { .. },
                ..
            }
        )
    };
    if !select.items.iter().all(is_column) {
        return refuse("anything but columns by their names");
    }
    match !select.from.is_empty() && select.from.iter().all(is_stored) {
        true => Ok(()),
        false => refuse("other sources than tables, views and their joins"),
    }
}

fn is_stored(item: &TableRef) -> bool {
    match item {
        TableRef::Table { name, hints, .. } => hints.is_empty() && !name.name.0.starts_with('#'),
        TableRef::Join { left, right, .. } => is_stored(left) && is_stored(right),
        _ => false,
    }
}
