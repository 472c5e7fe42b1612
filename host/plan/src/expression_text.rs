//! Expressions as text that people read and write.

use crate::{Column, Comparison, Expression, Node, Side};

impl Expression {
    /// The expression with the names of these columns, in parentheses wherever something is joined.
    pub fn text(&self, source: &[Column], target: &[Column]) -> String {
        // Nodes refer to earlier ones only, so each text is there when it is needed.
        let mut texts: Vec<String> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            texts.push(text(node, &texts, source, target));
        }
        let root = texts.get(self.root as usize);
        root.map_or("?", String::as_str).to_owned()
    }

    /// The same where it stands alone: nothing is around the whole.
    pub fn text_alone(&self, source: &[Column], target: &[Column]) -> String {
        let text = self.text(source, target);
        let joined = matches!(
            self.node(self.root),
            Some(Node::AllOf(all) | Node::AnyOf(all)) if all.len() > 1
        );
        let inner = text
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'));
        match inner {
            Some(inner) if joined => inner.to_owned(),
            _ => text,
        }
    }
}

/// A node, where those before it have these texts.
fn text(node: &Node, texts: &[String], source: &[Column], target: &[Column]) -> String {
    let at = |id: &u32| texts.get(*id as usize).map_or("?", String::as_str);
    let name = |columns: &[Column], ordinal: u32| {
        let column = columns.get(ordinal as usize);
        column.map_or("?", |column| &column.name).to_owned()
    };
    let joined = |ids: &[u32], word: &str| {
        let parts: Vec<&str> = ids.iter().map(at).collect();
        match parts.as_slice() {
            [only] => (*only).to_owned(),
            parts => format!("({})", parts.join(word)),
        }
    };
    match node {
        Node::Column { side, column } => match side {
            Side::Source => name(source, *column),
            Side::Target => format!("target.{}", name(target, *column)),
        },
        Node::Literal(value) => value.to_string(),
        Node::Compare { op, left, right } => {
            let op = match op {
                Comparison::Eq => "=",
                Comparison::Ne => "<>",
                Comparison::Lt => "<",
                Comparison::Le => "<=",
                Comparison::Gt => ">",
                Comparison::Ge => ">=",
            };
            format!("{} {op} {}", at(left), at(right))
        }
        Node::OneOf { item, values } => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            format!("{} in ({})", at(item), values.join(", "))
        }
        Node::IsNull(of) => format!("{} is null", at(of)),
        Node::Negate(of) => format!("not ({})", at(of)),
        Node::AllOf(all) => joined(all, " and "),
        Node::AnyOf(any) => joined(any, " or "),
        Node::Coalesce(all) => {
            let parts: Vec<&str> = all.iter().map(at).collect();
            format!("coalesce({})", parts.join(", "))
        }
    }
}
