//! Names in a lake table's directory that something else than a file has taken.

use icehost_tests::customers;

/// It is no other writer's version: waiting for it to be read would not end.
#[test]
#[cfg(unix)]
fn a_version_whose_name_is_taken_by_no_file_ends_the_run_at_once() {
    let bed = customers::bed(3);
    let sync = bed.sync("dbo.Customers", "demo.customers").args([
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
    ]);
    for version in [1, 2] {
        let name = format!("demo/customers/metadata/v{version}.metadata.json");
        let name = bed.warehouse().join(name);
        std::fs::create_dir_all(name.parent().unwrap()).unwrap();
        for is_link in [true, false] {
            match is_link {
                true => std::os::unix::fs::symlink("/nowhere/mounted/v.json", &name).unwrap(),
                false => std::fs::create_dir(&name).unwrap(),
            }
            let mut runs = vec![sync.clone()];
            if version > 1 {
                runs.push(bed.on_lake(["watermark", "clear"], "demo.customers"));
            }
            for run in runs {
                run.run()
                    .failure(&["cannot publish", &*name.to_string_lossy(), "hint: "]);
            }
            match is_link {
                true => std::fs::remove_file(&name).unwrap(),
                false => std::fs::remove_dir(&name).unwrap(),
            }
        }
        sync.clone().run().success();
        bed.source().execute(
            "UPDATE dbo.Customers SET ModifiedDate = SYSUTCDATETIME() WHERE CustomerID = 1",
        );
    }
}
