//! What an operator grants: columns that a strategy is shown, and interfaces that it may import.

use icehost_plan::{
    Column, ColumnGrant, ColumnType, Contents, Delta, Node, Outcome, Probe, SqlType,
    ValidExtractionPlan, ValidMergePlan, Value,
};
use icehost_strategy::{Context, Grants, LoadError, Options, Strategy, StrategyError};

use crate::fixtures::{options, orders, runtime, shipped};

async fn seeing(name: &str, columns: &[&str]) -> Strategy {
    let grants = Grants {
        columns: ColumnGrant::Only(columns.iter().map(|&c| c.to_owned()).collect()),
        imports: None,
    };
    shipped(&runtime(), name).await.granted(grants).unwrap()
}

/// The first run of a detector over `dbo.Orders`.
async fn detected(
    strategy: &Strategy,
    pairs: &[(&str, &str)],
) -> Result<(Vec<Probe>, ValidExtractionPlan), StrategyError> {
    let detector = strategy.as_change_detector()?;
    let options = Options::from_pairs(strategy, pairs)?;
    let table = orders();
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let probes = detector.probes(&context).await?;
    let readings: Vec<Value> = probes.iter().map(|_| Value::Timestamp(7)).collect();
    let plan = detector.plan(&context, &readings).await?;
    let outcome = Outcome {
        rows: 1,
        readings,
        observed: vec![],
    };
    detector.advance(&context, &outcome).await?;
    Ok((probes, plan))
}

#[tokio::test]
async fn a_detector_that_sees_its_column_alone_reads_all_of_them() {
    let strategy = seeing("timestamp", &["modifieddate"]).await;
    let (probes, plan) = detected(&strategy, &[]).await.unwrap();
    assert_eq!(plan.columns, [0, 1, 2, 3]);
    let whole = shipped(&runtime(), "timestamp").await;
    let pairs = [("column", "ModifiedDate")];
    assert_eq!((probes, plan), detected(&whole, &pairs).await.unwrap());
}

#[tokio::test]
async fn a_column_that_is_hidden_is_not_there_for_the_strategy() {
    let strategy = seeing("timestamp", &["Id", "Weight"]).await;
    let error = detected(&strategy, &[("column", "ModifiedDate")]).await;
    let message = error.unwrap_err().to_string();
    assert!(message.contains("no column 'ModifiedDate'"), "{message}");
    assert!(message.contains("'Id', 'Weight'"), "{message}");
    assert!(!message.contains("Name"), "{message}");
}

async fn merged(
    strategy: &Strategy,
    contents: Contents,
    pairs: &[(&str, &str)],
) -> Result<ValidMergePlan, StrategyError> {
    let options = options(strategy, pairs);
    let merger = strategy.as_merger()?;
    let delta = delta(orders().columns, contents);
    merger.plan(&orders(), &delta, &options).await
}

/// Rows with these columns, and their operation in front where they are changes.
fn delta(mut columns: Vec<Column>, contents: Contents) -> Delta {
    let operation = (contents == Contents::Changes).then_some(0);
    if operation.is_some() {
        columns.insert(0, Delta::operation_column());
    }
    Delta {
        columns,
        contents,
        operation,
        rows: 1,
        run_time: 0,
    }
}

#[tokio::test]
async fn a_merger_that_sees_the_key_alone_writes_all_columns() {
    for contents in [Contents::Upserts, Contents::Changes] {
        let narrow = merged(&seeing("upsert", &["Id"]).await, contents, &[]).await;
        let whole = merged(&shipped(&runtime(), "upsert").await, contents, &[]).await;
        assert_eq!(narrow.unwrap(), whole.unwrap());
    }
}

#[tokio::test]
async fn columns_are_found_again_behind_hidden_ones() {
    let strategy = seeing("upsert", &["Weight", "ModifiedDate"]).await;
    let pairs = [("keys", "ModifiedDate")];
    let plan = merged(&strategy, Contents::Changes, &pairs).await.unwrap();
    assert_eq!((plan.keys[0].source, plan.keys[0].target), (4, 3));
    let condition = plan.clauses[0].condition.as_ref().unwrap();
    let columns = condition.nodes.iter().filter_map(|node| match node {
        Node::Column { column, .. } => Some(*column),
        _ => None,
    });
    assert_eq!(columns.collect::<Vec<_>>(), [0], "the operation's");
}

#[tokio::test]
async fn a_key_of_which_a_part_is_hidden_is_no_key() {
    let mut table = orders();
    table.columns[1].key_position = Some(1);
    let delta = delta(table.columns.clone(), Contents::Upserts);
    let strategy = seeing("upsert", &["Name", "Weight"]).await;
    let merger = strategy.as_merger().unwrap();
    let error = merger.plan(&table, &delta, &options(&strategy, &[])).await;
    let message = error.unwrap_err().to_string();
    assert!(message.contains("has a key"), "{message}");
}

#[tokio::test]
async fn a_merger_that_takes_columns_one_by_one_is_refused_rather_than_losing_hidden_ones() {
    let mut target = orders();
    let deleted = Column::new("IsDeleted", ColumnType::Sql(SqlType::Bit), false);
    target.columns.push(deleted);
    let plan = async |columns: &[&str]| {
        let strategy = seeing("soft-delete", columns).await;
        let merger = strategy.as_merger().unwrap();
        let rows = delta(orders().columns, Contents::Upserts);
        merger.plan(&target, &rows, &options(&strategy, &[])).await
    };
    let message = plan(&["Id", "Name", "ModifiedDate", "IsDeleted"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("would lose 'Weight', which is hidden from it"),
        "{message}"
    );
    let all = ["Id", "Name", "Weight", "ModifiedDate", "IsDeleted"];
    assert!(plan(&all).await.is_ok());
}

#[tokio::test]
async fn a_transformer_neither_reads_nor_writes_what_is_hidden() {
    let strategy = seeing("mask", &["Id"]).await;
    let transformer = strategy.as_batch_transformer().unwrap();
    let given = options(&strategy, &[("columns", "Name")]);
    let message = transformer
        .open(&orders(), &given)
        .await
        .unwrap_err()
        .to_string();
    assert!(message.contains("no column 'Name'"), "{message}");

    let strategy = seeing("mask", &["Name"]).await;
    let transformer = strategy.as_batch_transformer().unwrap();
    let given = options(&strategy, &[("columns", "Name")]);
    let transform = transformer.open(&orders(), &given).await.unwrap();
    let inputs: Vec<&str> = transform
        .declared()
        .inputs()
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(inputs, ["Name"]);
}

#[tokio::test]
async fn an_import_that_is_withheld_is_named() {
    let strategy = shipped(&runtime(), "upsert").await;
    let imports = |names: &[&str]| Grants {
        imports: Some(names.iter().map(|&n| n.to_owned()).collect()),
        ..Grants::default()
    };
    let error = strategy.clone().granted(imports(&[])).unwrap_err();
    assert!(
        matches!(
            &error,
            StrategyError::Load {
                error: LoadError::ImportWithheld { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("icehost:strategy/logging@"),
        "{error}"
    );
    assert!(strategy.granted(imports(&["logging"])).is_ok());
}
