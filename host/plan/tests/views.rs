//! What a grant shows of a table, and what a plan for it means for the whole.
#![allow(clippy::unwrap_used)]

use icehost_plan::*;
use proptest::prelude::*;

/// `c0`, `c1`, …: integers, of which the first is the key.
fn table(columns: usize) -> Table {
    let column = |i| Column {
        key_position: (i == 0).then_some(0),
        ..Column::new(format!("c{i}"), ColumnType::Sql(SqlType::Int), true)
    };
    Table {
        name: "dbo.t".to_owned(),
        columns: (0..columns).map(column).collect(),
        features: Features::default(),
        row_estimate: None,
    }
}

fn only(names: &[&str]) -> ColumnGrant {
    ColumnGrant::Only(names.iter().map(|&name| name.to_owned()).collect())
}

fn names(columns: &[Column]) -> Vec<&str> {
    columns.iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn names_are_granted_without_regard_to_case_and_need_not_be_there() {
    let table = table(3);
    let shown = View::new(&only(&["C1", "elsewhere"]), &table.columns, None).table(&table);
    assert_eq!(names(&shown.columns), ["c1"]);
    let nothing = View::new(&only(&[]), &table.columns, None).table(&table);
    assert!(nothing.columns.is_empty());
}

#[test]
fn the_operation_of_changes_is_always_shown() {
    let delta = Delta {
        columns: vec![Delta::operation_column(), table(1).columns.remove(0)],
        contents: Contents::Changes,
        operation: Some(0),
        rows: 1,
        run_time: 0,
    };
    let view = View::new(&only(&[]), &delta.columns, delta.operation);
    let shown = view.delta(&delta);
    assert_eq!(shown.operation, Some(0));
    assert_eq!(shown.columns.len(), 1);
}

#[test]
fn a_transformer_cannot_write_a_column_that_is_hidden_from_it() {
    let table = table(3);
    let view = View::new(&only(&["c0"]), &table.columns, None);
    let writes = |name: &str| {
        let output = OutputColumn {
            name: name.to_owned(),
            native_type: "int".to_owned(),
            nullable: true,
        };
        let declared = Transformation {
            inputs: vec![0],
            outputs: vec![output],
        };
        declared.validate(&table, &view)
    };
    assert_eq!(
        writes("c2").unwrap_err().to_string(),
        "outputs[0]: 'c2' is a column that is hidden from it"
    );
    assert!(writes("new").is_ok());
    let beyond = Transformation {
        inputs: vec![1],
        outputs: vec![],
    };
    assert!(beyond.validate(&table, &view).is_err());
}

proptest! {
    /// Whatever is hidden, a plan reads every hidden column once, and means the columns whose names it was shown.
    #[test]
    fn a_plan_for_a_part_means_the_same_columns_of_the_whole(
        hidden in proptest::collection::vec(any::<bool>(), 1..12),
        chosen in proptest::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let table = table(hidden.len());
        let seen: Vec<String> = table
            .columns
            .iter()
            .zip(&hidden)
            .filter(|(_, hidden)| !**hidden)
            .map(|(column, _)| column.name.clone())
            .collect();
        prop_assume!(!seen.is_empty());
        let view = View::new(&ColumnGrant::Only(seen.clone()), &table.columns, None);
        let shown = view.table(&table);
        prop_assert_eq!(names(&shown.columns), seen.iter().map(String::as_str).collect::<Vec<_>>());

        let mut columns: Vec<u32> = chosen.iter().map(|c| c.index(seen.len()) as u32).collect();
        let mut known = std::collections::HashSet::new();
        columns.retain(|&column| known.insert(column));
        let first = columns[0];
        let null = Expression {
            nodes: vec![
                Node::Column { side: Side::Source, column: first },
                Node::IsNull(0),
            ],
            root: 1,
        };
        let plan = ExtractionPlan {
            source: ChangeSource::Rows,
            coverage: Coverage::Full,
            columns: columns.clone(),
            filter: Some(null),
            order_by: vec![SortKey { column: first, direction: Direction::Ascending }],
            split_on: Some((first, vec![Value::Integer(1)])),
            observe: vec![Aggregate { function: AggregateFunction::Max, column: first }],
        };
        let whole = view.extraction(plan.validate(&shown).unwrap());

        let named = |ordinal: u32| table.columns[ordinal as usize].name.as_str();
        let wanted = &seen[first as usize];
        let Some(Node::Column { column, .. }) = whole.filter.as_ref().unwrap().node(0) else {
            return Err(TestCaseError::fail("the filter begins with its column"));
        };
        prop_assert_eq!(named(*column), wanted);
        prop_assert_eq!(named(whole.order_by[0].column), wanted);
        prop_assert_eq!(named(whole.split_on.as_ref().unwrap().0), wanted);
        prop_assert_eq!(named(whole.observe[0].column), wanted);

        let mut read: Vec<&str> = whole.columns.iter().map(|&c| named(c)).collect();
        let mut expected: Vec<&str> = columns.iter().map(|&c| seen[c as usize].as_str()).collect();
        expected.extend(view.hidden(&table.columns).map(|column| column.name.as_str()));
        if columns.is_sorted() {
            prop_assert!(whole.columns.is_sorted());
            read.sort_unstable();
            expected.sort_unstable();
        }
        prop_assert_eq!(read, expected);
        // It is as valid for the whole as it was for the part.
        prop_assert!((*whole).clone().validate(&table).is_ok());
    }
}

#[test]
fn a_column_with_a_rule_is_hidden_unless_it_is_granted_by_name() {
    let ruled = ["Salary", "Email"];
    let without = ColumnGrant::All.without(ruled);
    assert!(!without.admits("salary") && !without.admits("Email") && without.admits("Id"));
    assert_eq!(ColumnGrant::All.without([]), ColumnGrant::All);
    let named = only(&["Id", "Salary"]);
    assert_eq!(named.without(ruled), named);
    assert!(named.without(ruled).admits("Salary"));
}
