//! `icehost table`: which lake tables there are, and what one is made of.

use std::fs;
use std::path::Path;

use icehost_tests::{Bed, Command, Dump, customers, python_script};
use serde_json::Value;

use crate::file::{with_config, write};

/// Files of a directory whose names end so, and their bytes.
fn files(directory: &Path, ending: &str) -> (u64, u64) {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let sizes = entries
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(ending))
        .map(|entry| entry.metadata().unwrap().len());
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}

fn list(bed: &Bed) -> Command {
    let warehouse = bed.warehouse().display().to_string();
    Command::new(["table", "list", "--warehouse", &warehouse])
}

/// A count and bytes, as the object has them.
fn of(object: &Value) -> (u64, u64) {
    (
        object["count"].as_u64().unwrap(),
        object["bytes"].as_u64().unwrap(),
    )
}

#[test]
fn a_table_is_described_by_what_is_there() {
    let bed = customers::bed(500);
    let sync = || bed.sync_to_target("dbo.Customers", "demo.customers");
    sync().run().success();
    customers::change(&bed, 20, "2026-01-20");
    sync().run().success();
    let described = bed.on_lake(["table", "describe"], "demo.customers").json();

    let lake = bed.lake("demo.customers");
    assert_eq!(
        of(&described["metadata_files"]),
        files(&lake.join("metadata"), "")
    );
    let (data, deletes) = (
        &described["data_files"],
        &described["position_delete_files"],
    );
    let (data_files, deletes_files) = (of(data), of(deletes));
    let all = (
        data_files.0 + deletes_files.0,
        data_files.1 + deletes_files.1,
    );
    assert_eq!(all, files(&lake.join("data"), ".parquet"));
    let rows = Dump::agreed(&lake, None).rows.len() as u64;
    assert_eq!(described["rows"], rows);
    let there = data["rows"].as_u64().unwrap() - deletes["rows"].as_u64().unwrap();
    assert_eq!(there, rows);
    assert_eq!(described["data_files_with_deletes"], 1);
    assert_eq!(described["snapshots"], 2);
    assert_eq!(described["format"], 2);
    let column = |n: usize| described["columns"][n].clone();
    assert_eq!(
        column(0),
        serde_json::json!({
            "id": 1, "name": "CustomerID", "type": "int", "required": true, "identifier": true,
            "doc": column(0)["doc"],
        })
    );
    assert_eq!(column(3)["type"], "decimal(19, 4)");
    assert_eq!(described["health"], serde_json::json!([]));

    let run = bed
        .on_lake(["table", "describe"], "demo.customers")
        .run()
        .success();
    for said in [
        "lake table  demo.customers",
        "columns       1 CustomerID int, identifier",
        "history     2 snapshots",
        "20 deleted rows, by position",
        "health      nothing here slows readers or writers",
    ] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    assert!(run.stdout.lines().count() < 25, "{}", run.stdout);

    // A pipeline names its table.
    write(
        &bed,
        "[pipelines.customers]\nsource = \"source\"\ntable = \"dbo.Customers\"\nstrategy = \"timestamp\"\n\
         merge = \"upsert\"\nlake-table = \"demo.customers\"\n",
    );
    let named = with_config(&bed, ["table", "describe", "customers"]).json();
    assert_eq!(named["uuid"], described["uuid"]);
}

#[test]
fn what_slows_readers_is_said() {
    let bed = customers::bed(1);
    let sync = || {
        bed.sync_to_target("dbo.Customers", "demo.customers")
            .run()
            .success()
    };
    sync();
    for n in 2..=22 {
        customers::add(&bed, n, n, &format!("2026-02-{n:02}"));
        sync();
    }
    bed.source().execute(
        "UPDATE dbo.Customers SET Name = N'x', ModifiedDate = '2026-03-01' WHERE CustomerID < 5",
    );
    sync();
    let described = bed.on_lake(["table", "describe"], "demo.customers").json();
    let small = described["small_data_files"]["count"].as_u64().unwrap();
    assert!(small > 20, "{described}");
    let health = described["health"].to_string();
    assert!(
        health.contains(&format!("{small} of {small} data files are small")),
        "{health}"
    );
    assert!(
        health.contains("4 rows are deleted and still in data files"),
        "{health}"
    );
}

#[test]
fn tables_are_listed_with_their_sizes_and_one_that_cannot_be_read_hides_no_other() {
    let bed = customers::bed(40);
    list(&bed)
        .run()
        .failure(&["there is no warehouse", "hint: check the path"]);
    for name in ["demo.customers", "other.copy"] {
        bed.sync("dbo.Customers", name)
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .run()
            .success();
    }
    let tables = |listed: &Value| listed["warehouses"][0]["tables"].clone();
    let listed = list(&bed).json();
    let known = tables(&listed);
    let names = [&known[0]["lake_table"], &known[1]["lake_table"]];
    assert_eq!(names, ["demo.customers", "other.copy"]);
    assert_eq!(
        (&known[0]["rows"], &known[0]["data_files"]),
        (&40.into(), &1.into())
    );
    let data = files(&bed.lake("demo.customers").join("data"), ".parquet");
    assert_eq!(known[0]["bytes"], data.1);

    // The warehouses of a file, each once.
    let pipeline = |name: &str| {
        format!(
            "[pipelines.{name}]\nsource = \"source\"\ntable = \"dbo.Customers\"\nstrategy = \"timestamp\"\n\
             merge = \"upsert\"\nlake-table = \"demo.{name}\"\n"
        )
    };
    write(&bed, &(pipeline("customers") + &pipeline("more")));
    let of_file = with_config(&bed, ["table", "list"]).json();
    assert_eq!(of_file["warehouses"].as_array().unwrap().len(), 1);
    assert_eq!(tables(&of_file), known);

    let broken = bed.lake("other.copy").join("metadata");
    for entry in fs::read_dir(&broken).unwrap().map(Result::unwrap) {
        if entry
            .file_name()
            .to_string_lossy()
            .ends_with(".metadata.json")
        {
            fs::write(entry.path(), "{ this is none").unwrap();
        }
    }
    let run = list(&bed)
        .run()
        .failure(&["1 of 2 lake tables cannot be read", "other.copy"]);
    assert!(run.stdout.contains("demo.customers"), "{}", run.stdout);
    let run = list(&bed).args(["--output", "json"]).run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let listed = run.json();
    assert_eq!(tables(&listed)[0], known[0]);
    for object in [&listed, &tables(&listed)[1]] {
        assert!(object["error"].is_string(), "{listed}");
        assert_eq!(object["kind"], "lake", "{listed}");
    }
}

#[test]
fn a_table_of_another_engine_is_described_with_what_icehost_cannot_do() {
    let bed = Bed::new();
    let lake = bed.lake("foreign.people");
    fs::create_dir_all(lake.parent().unwrap()).unwrap();
    let arguments = [lake.display().to_string(), "--partitioned".to_owned()];
    python_script("readers/make_foreign_table.py", &arguments);
    let described = bed.on_lake(["table", "describe"], "foreign.people").json();
    assert_eq!(
        described["partitioned_by"],
        serde_json::json!(["identity(born)"])
    );
    assert_eq!(described["rows"], Dump::agreed(&lake, None).rows.len());
    let health = described["health"].to_string();
    assert!(
        health.contains("cannot write to lake table foreign.people"),
        "{health}"
    );
    bed.on_lake(["table", "describe"], "foreign.peopel")
        .run()
        .failure(&["there is no lake table foreign.peopel", "foreign.people"]);
}
