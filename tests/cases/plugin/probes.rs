//! Probes that look at some rows only: a strategy that reads one tenant's, in every place that shows, tests or runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use icehost_tests::{Bed, Command};

const STRATEGY: &str = r#"
use icehost_sdk::prelude::*;

icehost_sdk::options! {
    /// What users may set.
    pub struct TenantOptions {
        /// Whose rows are read.
        pub tenant: i64,
        /// The column that tells whose they are.
        pub column: Option<String>,
        /// Says that it reads everything up to what it has probed, of all tenants.
        pub everything: bool = false,
    }
}

pub struct OfTenant;

impl ChangeDetector for OfTenant {
    const NAME: &'static str = "of-tenant";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "rows of one tenant whose number grew";
    type Options = TenantOptions;

    fn probes(context: &Context<TenantOptions>) -> Result<Vec<Probe>, Error> {
        let number = context.table.require("Number")?;
        let count = Probe::count(number).filter(of_tenant(context)?);
        Ok(vec![Probe::max(number).filter(of_tenant(context)?), count])
    }

    fn plan(context: &Context<TenantOptions>, readings: &[Value]) -> Result<ExtractionPlan, Error> {
        let number = context.table.require("Number")?;
        let plan = ExtractionPlan::rows(&context.table).order_by(number);
        let through = col(number).le(lit(readings[0].clone()));
        if context.options.everything {
            return Ok(plan.full().filter(through));
        }
        let wanted = match (context.mark("Number"), &readings[0]) {
            (_, Value::Null) => of_tenant(context)?.and(col(number).is_null()),
            (Some(mark), _) if !mark.is_null() => {
                of_tenant(context)?.and(col(number).ge(lit(mark.clone()))).and(through)
            }
            _ => of_tenant(context)?.and(through),
        };
        Ok(plan.filter(wanted))
    }

    fn advance(context: &Context<TenantOptions>, outcome: &Outcome) -> Result<Watermark, Error> {
        let [largest, _] = outcome.readings.as_slice() else {
            return Err(Error::internal("readings", "there are others than were asked for"));
        };
        let number = match (largest, context.mark("Number")) {
            (Value::Null, Some(mark)) => mark,
            _ => largest,
        };
        Ok(Watermark::new(1).with("Number", number.clone()))
    }
}

fn of_tenant(context: &Context<TenantOptions>) -> Result<Predicate, Error> {
    let column = context.options.column.as_deref().unwrap_or("Tenant");
    let tenant = context.table.require(column)?;
    Ok(col(tenant).eq(lit(context.options.tenant)))
}

icehost_sdk::export_change_detector!(OfTenant);
"#;

const CASES: &str = r#"
[table]
name = "dbo.T"
columns = ["Id int key", "Tenant int", "Number bigint"]

[[case]]
name = "a first run"
readings = ["integer:9", "integer:3"]
[case.options]
tenant = 7
[case.expect]
probes = ["max(Number) where Tenant = integer:7", "count(Number) where Tenant = integer:7"]
plan = """
read changes
where Tenant = integer:7 and Number <= integer:9
order by Number
"""
watermark = ["Number=integer:9"]
"#;

/// A crate of this text, built. What it is built of is shared by all cases and kept from run to run.
pub(super) fn component(bed: &Bed, name: &str, text: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock();
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strategies");
    let directory = shared.join(name);
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\n\
         crate-type = [\"cdylib\"]\n[dependencies]\nicehost-sdk = {{ path = {:?} }}\n[workspace]\n",
        sdk.canonicalize().unwrap()
    );
    let target = format!("[build]\ntarget-dir = {:?}\n", shared.join("target"));
    for (file, text) in [
        (shared.join(".cargo/config.toml"), target.as_str()),
        (directory.join("Cargo.toml"), manifest.as_str()),
        (directory.join("src/lib.rs"), text),
    ] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // An unchanged file is not written, so that it is not built again.
        if fs::read_to_string(&file).ok().as_deref() != Some(text) {
            fs::write(&file, text).unwrap();
        }
    }
    let built = bed.path(&format!("{name}.wasm"));
    Command::new(["plugin", "build"])
        .arg(directory.display().to_string())
        .arg("--out")
        .arg(built.display().to_string())
        .run()
        .success();
    built
}

#[test]
fn a_probe_looks_at_the_rows_of_one_tenant() {
    let bed = Bed::new();
    let component = component(&bed, "of-tenant", STRATEGY).display().to_string();
    let cases = bed.path("cases.toml");
    fs::write(&cases, CASES).unwrap();
    Command::new(["plugin", "test", &component, "--cases"])
        .arg(cases.display().to_string())
        .run()
        .success();
    let explained = Command::new(["plugin", "explain", &component, "--option", "tenant=7"])
        .args(["--column", "Id int key", "--column", "Tenant int"])
        .args(["--column", "Number bigint"])
        .run()
        .success()
        .stdout;
    for says in [
        "max(Number) where Tenant = integer:7 = integer:101",
        "DECLARE @v1 int = 7;",
        "(SELECT MAX([Number]) FROM [dbo].[Orders] WHERE [Tenant] = @v1)",
    ] {
        assert!(explained.contains(says), "{explained}");
    }

    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Tenant int NOT NULL, Number bigint NULL);
         INSERT INTO dbo.T VALUES (1, 7, 10), (2, 8, 5000), (3, 7, 20), (4, 7, NULL)",
    );
    let sync = |options: &[&str]| {
        let mut command = bed.sync("dbo.T", "demo.t");
        command = command.args(["--strategy", &component, "--strategy-option", "tenant=7"]);
        for option in options {
            command = command.args(["--strategy-option", option]);
        }
        command
            .args(["--merge", "upsert"])
            .leaves_apart("the strategy leaves other tenants' rows out")
    };
    let preview = sync(&[]).arg("--dry-run").json();
    let readings = preview["extraction"]["readings"].to_string();
    assert!(
        readings.contains("max Number where Tenant = integer:7") && readings.contains("20"),
        "{readings}"
    );
    assert_eq!(sync(&[]).json()["rows_extracted"], 2);
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (5, 8, 6000), (6, 7, 30)");
    assert_eq!(sync(&[]).json()["rows_extracted"], 1);
    let shown = bed.on_lake(["watermark", "show"], "demo.t").json();
    let shown = shown.to_string();
    assert!(shown.contains("30") && !shown.contains("6000"), "{shown}");
    // Another tenant has other rows, and a tenant without any has none.
    let none = bed.sync("dbo.T", "demo.none");
    let none = none
        .args(["--strategy", &component, "--strategy-option", "tenant=9"])
        .args(["--merge", "upsert"])
        .leaves_more("nothing has been committed yet");
    assert_eq!(none.json()["rows_extracted"], 0);
}

#[test]
fn what_a_rule_changes_is_in_no_probes_filter() {
    let bed = Bed::new();
    let component = component(&bed, "of-tenant", STRATEGY).display().to_string();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Tenant int NULL, Number bigint NOT NULL);
         INSERT INTO dbo.T VALUES (1, 7, 10)",
    );
    let sync = bed
        .sync("dbo.T", "demo.t")
        .args(["--strategy", &component, "--strategy-option", "tenant=7"])
        .args(["--column-rule", "Tenant=null", "--merge", "upsert"]);
    sync.run().failure(&["no column 'Tenant'"]);
}

#[test]
fn a_bound_of_one_tenants_rows_does_not_tell_that_others_are_gone() {
    let bed = Bed::new();
    let component = component(&bed, "of-tenant", STRATEGY).display().to_string();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Tenant int NOT NULL, Number bigint NOT NULL);
         INSERT INTO dbo.T VALUES (1, 7, 10), (2, 8, 5000)",
    );
    let first = bed.sync("dbo.T", "demo.t");
    first
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .args(["--lake-merge", "upsert"])
        .args(["--lake-merge-option", "delete-missing=true"])
        .run()
        .success();
    bed.on_lake(["watermark", "clear"], "demo.t")
        .run()
        .success();
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", &component, "--strategy-option", "tenant=7"])
        .args(["--strategy-option", "everything=true"])
        .args(["--merge", "upsert", "--lake-merge", "upsert"])
        .args(["--lake-merge-option", "delete-missing=true"])
        .run()
        .failure(&["its filter may leave rows out"]);
}
