//! Plans as text that people read and write.

use icehost_plan::{
    Action, Aggregate, AggregateFunction, Assignment, ChangeSource, Clause, Column, Contents,
    Coverage, Delta, Direction, Expression, ExtractionPlan, MergePlan, Occasion, Probe, SortKey,
    Table, Watermark, WriteMode,
};

/// What the columns of an expression are called.
struct Names<'a> {
    source: &'a [Column],
    target: &'a [Column],
}

impl Names<'_> {
    fn source(&self, column: u32) -> &str {
        name(self.source, column)
    }

    fn target(&self, column: u32) -> &str {
        name(self.target, column)
    }

    /// With parentheses wherever something is joined.
    fn within(&self, expression: &Expression) -> String {
        expression.text(self.source, self.target)
    }

    /// Nothing is around the whole.
    fn alone(&self, expression: &Expression) -> String {
        expression.text_alone(self.source, self.target)
    }
}

fn name(columns: &[Column], column: u32) -> &str {
    columns
        .get(column as usize)
        .map_or("?", |column| &column.name)
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

pub(crate) fn probe(probe: &Probe, table: &Table) -> String {
    let text = match probe {
        Probe::Aggregate { of, .. } => aggregate(of, &table.columns),
        Probe::Greatest(row) => format!("greatest({})", columns(&row.columns, table)),
        Probe::Least(row) => format!("least({})", columns(&row.columns, table)),
        Probe::MinActiveRowversion => "min-active-rowversion".to_owned(),
        Probe::ChangeTrackingCurrent => "change-tracking-current".to_owned(),
        Probe::ChangeTrackingMinValid => "change-tracking-min-valid".to_owned(),
        Probe::CaptureMinLsn => "capture-min-lsn".to_owned(),
        Probe::CaptureMaxLsn => "capture-max-lsn".to_owned(),
        Probe::SourceTime => "source-time".to_owned(),
        Probe::CurrentSnapshot => "current-snapshot".to_owned(),
    };
    match probe.filter() {
        Some(filter) => format!("{text} where {}", filter.text_alone(&table.columns, &[])),
        None => text,
    }
}

fn columns(ordinals: &[u32], table: &Table) -> String {
    listed(ordinals.iter().map(|&column| name(&table.columns, column)))
}

fn aggregate(of: &Aggregate, columns: &[Column]) -> String {
    let function = match of.function {
        AggregateFunction::Min => "min",
        AggregateFunction::Max => "max",
        AggregateFunction::Count => "count",
        AggregateFunction::CountNull => "count-null",
        AggregateFunction::CountDistinct => "count-distinct",
    };
    format!("{function}({})", name(columns, of.column))
}

/// One line for each part that says something.
pub(crate) fn extraction(plan: &ExtractionPlan, table: &Table) -> String {
    let names = Names {
        source: &table.columns,
        target: &[],
    };
    let what = match plan.coverage {
        Coverage::Incremental => "changes",
        Coverage::Full => "everything",
    };
    let from = match &plan.source {
        ChangeSource::Rows => "",
        ChangeSource::ChangeTracking(_) => " from change tracking",
        ChangeSource::CaptureAll(_) | ChangeSource::CaptureNet(_) => " from change data capture",
        ChangeSource::SystemVersioned(_) => " from the history",
        ChangeSource::Snapshots(_) => " from snapshots",
    };
    let mut lines = vec![format!("read {what}{from}")];
    let all = (0..table.columns.len() as u32).collect::<Vec<_>>();
    if plan.columns != all {
        let columns = plan.columns.iter().map(|&column| names.source(column));
        lines.push(format!("columns {}", listed(columns)));
    }
    if let Some(filter) = &plan.filter {
        lines.push(format!("where {}", names.alone(filter)));
    }
    if !plan.order_by.is_empty() {
        lines.push(format!("order by {}", order(&plan.order_by, &names)));
    }
    if !plan.observe.is_empty() {
        let observed: Vec<String> = plan
            .observe
            .iter()
            .map(|of| aggregate(of, &table.columns))
            .collect();
        lines.push(format!("observe {}", observed.join(", ")));
    }
    lines.join("\n")
}

/// One line for each part and each clause.
pub(crate) fn merge(plan: &MergePlan, target: &Table, delta: &Delta) -> String {
    let names = Names {
        source: &delta.columns,
        target: &target.columns,
    };
    let mut lines = Vec::new();
    if !plan.keys.is_empty() {
        let keys: Vec<String> = plan
            .keys
            .iter()
            .map(
                |key| match (names.source(key.source), names.target(key.target)) {
                    (source, target) if source == target => source.to_owned(),
                    (source, target) => format!("{source} = {target}"),
                },
            )
            .collect();
        lines.push(format!("by {}", keys.join(", ")));
    }
    if let Some(among) = &plan.among {
        lines.push(format!("among {}", names.alone(among)));
    }
    if !plan.deduplicate.is_empty() {
        lines.push(format!(
            "of several, first by {}",
            order(&plan.deduplicate, &names)
        ));
    }
    lines.extend(plan.clauses.iter().map(|one| clause(one, &names)));
    let mode = match plan.mode {
        WriteMode::Append => "append",
        WriteMode::CopyOnWrite => "copy-on-write",
        WriteMode::MergeOnRead => "merge-on-read",
    };
    lines.push(mode.to_owned());
    lines.join("\n")
}

fn clause(clause: &Clause, names: &Names<'_>) -> String {
    let occasion = match clause.occasion {
        Occasion::Matched => "matched",
        Occasion::NotMatched => "not matched",
        Occasion::NotMatchedBySource => "not matched by source",
    };
    let condition = match &clause.condition {
        Some(condition) => format!(" and {}", names.within(condition)),
        None => String::new(),
    };
    let action = match &clause.action {
        Action::WriteAll => "write all".to_owned(),
        Action::Delete => "delete".to_owned(),
        Action::Skip => "skip".to_owned(),
        Action::Write(assignments) => format!("write {}", written(assignments, names)),
        Action::Supersede(succession) => format!(
            "supersede {} by {}",
            written(&succession.old, names),
            written(&succession.new, names)
        ),
    };
    format!("when {occasion}{condition}: {action}")
}

fn written(assignments: &[Assignment], names: &Names<'_>) -> String {
    let parts: Vec<String> = assignments
        .iter()
        .map(|part| {
            let value = names.within(&part.value);
            format!("{} = {value}", names.target(part.target))
        })
        .collect();
    parts.join(", ")
}

fn order(keys: &[SortKey], names: &Names<'_>) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|key| match key.direction {
            Direction::Ascending => names.source(key.column).to_owned(),
            Direction::Descending => format!("{} descending", names.source(key.column)),
        })
        .collect();
    keys.join(", ")
}

pub(crate) fn watermark(watermark: &Watermark) -> Vec<String> {
    let marks = watermark.marks.iter();
    marks
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

pub(crate) fn contents(contents: Contents) -> &'static str {
    match contents {
        Contents::Upserts => "upserts",
        Contents::Changes => "changes",
        Contents::Snapshot => "snapshot",
    }
}
