//! What changed in the source: watermark, probes, plan.

use icehost_lake::{LakeTable, RowChange};
use icehost_plan::{
    Action, Aggregate, AggregateFunction, Clause, Column, Contents, Coverage, Delta, Occasion,
    Probe, Table, ValidExtractionPlan, ValidMergePlan, Value,
};
use icehost_sqlserver::{Connection, ReadConsistency, SqlTable};
use icehost_strategy::Context;

use crate::choice;
use crate::clock;
use crate::created_again;
use crate::error::Doing;
use crate::lake_keys;
use crate::layout;
use crate::same_table;
use crate::stale_mark;
use crate::transforms::Declared;
use crate::visibility;
use crate::watermark_store::StoredWatermark;
use crate::withdrawals::Withdrawals;
use crate::{Detection, Event, Memory, Merging, Observer, Source, SyncError, SyncJob};

/// The source, opened and described.
pub(crate) struct OpenSource {
    pub(crate) connection: Connection,
    pub(crate) table: SqlTable,
    /// What the watermark calls it.
    pub(crate) identity: String,
    /// What it is among all tables, as the watermark has it.
    pub(crate) on_server: Option<String>,
    /// What becomes of its columns.
    pub(crate) transforms: Declared,
}

/// What a watermark calls the source, and what the source is among all tables.
#[derive(Clone, Copy)]
pub(crate) struct SourceNames<'a> {
    pub(crate) identity: &'a str,
    pub(crate) on_server: Option<&'a str>,
}

impl OpenSource {
    pub(crate) async fn open(source: &Source) -> Result<OpenSource, SyncError> {
        let (mut connection, table) = find(source).await?;
        let on_server = connection.table_on_server(&table.name).await;
        let on_server = on_server.doing(|| format!("opening source table {}", table.name))?;
        let identity = identity(source, &table);
        let transforms = source.transforms.declare(&table.table).await?;
        Ok(OpenSource {
            connection,
            table,
            identity,
            on_server: on_server.as_ref().and_then(same_table::noted),
            transforms,
        })
    }

    /// What the watermark has of it.
    pub(crate) fn names(&self) -> SourceNames<'_> {
        SourceNames {
            identity: &self.identity,
            on_server: self.on_server.as_deref(),
        }
    }

    /// The table as it goes to the lake.
    pub(crate) fn landing(&self) -> Table {
        self.transforms.table(&self.table.table)
    }

    /// What each connection may take for this table.
    pub(crate) fn memory(&self, job: &SyncJob) -> Result<Memory, SyncError> {
        job.settings.memory.divide(self.table.columns.len())
    }

    /// Reads probes, and then starts the read of the rows: a bound that was read beforehand is sound on a server
    /// that fixes a snapshot when its transaction begins, as on one that does so with its first query. The probes
    /// have a snapshot of their own, so that they wait for no writer.
    ///
    /// Of a column of moments that has been probed for its largest value together with the server's time, the
    /// largest value is one that the clock may have reached; what lies ahead of it is told in a warning.
    async fn probe(&mut self, probes: &[Probe]) -> Result<(Vec<Value>, Vec<String>), SyncError> {
        let table = &self.table;
        let doing = || format!("probing source table {}", table.name);
        let connection = &mut self.connection;
        connection.end_read().await.doing(doing)?;
        if !table.traits.memory_optimized {
            connection.begin_read(table).await.doing(doing)?;
        }
        let mut readings = connection.probe(table, probes).await.doing(doing)?;
        let warnings = clock::hold_back(connection, table, probes, &mut readings).await?;
        connection.end_read().await.doing(doing)?;
        Ok((readings, warnings))
    }

    /// Starts a consistent read where the server can give one, and says so where it cannot.
    pub(crate) async fn begin_read(&mut self) -> Result<(), SyncError> {
        if self.table.traits.memory_optimized {
            // Error 41332: a session under SNAPSHOT isolation cannot read it. It needs none: each statement that
            // stands alone reads it as of one moment (In-Memory OLTP, "Transactions with memory-optimized
            // tables").
            tracing::info!("each statement reads the memory-optimised table as of one moment");
            return Ok(());
        }
        let consistency = self
            .connection
            .begin_read(&self.table)
            .await
            .doing(|| format!("starting to read source table {}", self.table.name))?;
        match consistency {
            ReadConsistency::Snapshot => tracing::info!("reading under SNAPSHOT isolation"),
            ReadConsistency::ReadCommitted { reason } => tracing::warn!(
                "reading {} under READ COMMITTED, where a scan may skip or repeat rows that move: {reason}",
                self.table.name
            ),
        }
        Ok(())
    }
}

/// Connects and describes the table.
pub(crate) async fn find(source: &Source) -> Result<(Connection, SqlTable), SyncError> {
    let doing = || format!("opening source table {}", source.table);
    let mut connection = Connection::open(&source.endpoint, &source.connect)
        .await
        .doing(doing)?;
    let table = connection
        .introspect(&source.table, &source.columns)
        .await
        .doing(doing)?;
    table.check_source().doing(doing)?;
    Ok((connection, table))
}

/// What a watermark calls the source.
pub(crate) fn identity(source: &Source, table: &SqlTable) -> String {
    let given = source.name.clone();
    given.unwrap_or_else(|| format!("{}.{}", table.database, table.name))
}

/// What a change detector wants read, and what it knew when it decided.
pub(crate) struct Detected {
    pub(crate) stored: Option<StoredWatermark>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) readings: Vec<Value>,
    pub(crate) plan: ValidExtractionPlan,
    /// How the delta lands in the lake.
    pub(crate) change: LakeChange,
    /// What the user should know of the source.
    pub(crate) warnings: Vec<String>,
}

impl Detected {
    /// What the server answered to an aggregate over a column of all rows, where the detector asked for it.
    pub(crate) fn aggregate(&self, function: AggregateFunction, column: u32) -> Option<&Value> {
        let wanted = Probe::from(Aggregate { function, column });
        let mut answers = Probe::with_readings(&self.probes, &self.readings);
        answers.find_map(|(probe, readings)| readings.first().filter(|_| *probe == wanted))
    }
}

/// How a delta lands in the lake.
pub(crate) struct LakeChange {
    pub(crate) rows: RowChange,
    /// The delta cannot hold a key twice: the key is the source's own.
    pub(crate) unique_keys: bool,
    /// The delta's columns, as transformers leave them.
    pub(crate) columns: Vec<Column>,
    /// Field ids of the lake's columns, and whether the delta brings a value for them.
    pub(crate) fields: Vec<(i32, bool)>,
    /// How rows that a transformer drops are taken out; `None` where none is dropped or none can be matched.
    pub(crate) withdrawals: Option<Withdrawals>,
}

/// Asks the change detector what to read, starts the read, and asks the merger how it lands in the lake. `known`
/// are readings of the probes that an earlier run has left; they count where there is no watermark yet.
pub(crate) async fn detect(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &LakeTable,
    observer: &dyn Observer,
    known: Option<Vec<Value>>,
) -> Result<Detected, SyncError> {
    observer.event(Event::Detecting);
    let stored = job.settings.watermarks.load(lake, observer).await?;
    stale_mark::check(lake, stored.as_ref())?;
    let (table, identity) = (source.table.table.clone(), source.identity.clone());
    let context = context(&job.detection, &table, &identity, stored.as_ref())?;
    let probes = choice::probes(&job.source.rules, &job.detection, &context).await?;
    let detector = job.source.rules.guard(&job.detection.strategy);
    let known = known.filter(|known| stored.is_none() && known.len() == Probe::width_of(&probes));
    let (readings, warnings) = match known {
        Some(known) => (known, Vec::new()),
        None => source.probe(&probes).await?,
    };
    source.begin_read().await?;
    let plan = detector.plan(&context, &readings).await?;
    if let Some(stored) = &stored {
        created_again::check(source, &stored.record, &plan).await?;
    }
    visibility::check_plan(&source.table, &probes, &plan)?;
    // Rows that were held back are not among those that it reads.
    let complete = warnings.is_empty() && plan.is_complete(&source.table.table, &probes, &readings);
    let contents = contents(job, source, &plan, complete, lake).await?;
    let change = lake_change(&job.lake_merge, source, &plan, contents, lake).await?;
    visibility::check_keys(&source.table, &change)?;
    lake_keys::check_rules(&change, &source.table.table, &job.source.rules)?;
    let sees_all = job.source.sees_every_row;
    visibility::check_absence(&source.table, plan.coverage, &change, sees_all)?;
    // The server need not sort, a whole table at the first load, where no row can take another's place. Rows
    // then come as they lie, by the clustered index, which also keeps near keys near each other in the lake.
    let plan = match change.unique_keys || !change.rows.has_key() {
        true => plan.unordered(),
        false => plan,
    };
    Ok(Detected {
        stored,
        probes,
        readings,
        plan,
        change,
        warnings,
    })
}

/// What a detector is shown; its watermark must be one of this strategy and this source.
pub(crate) fn context<'a>(
    detection: &'a Detection,
    table: &'a Table,
    identity: &str,
    stored: Option<&'a StoredWatermark>,
) -> Result<Context<'a>, SyncError> {
    if let Some(stored) = stored {
        let strategy = &detection.strategy.strategy().description().name;
        stored.record.check_belongs_to(strategy, identity)?;
    }
    Ok(Context {
        table,
        options: &detection.options,
        watermark: stored.map(StoredWatermark::watermark),
    })
}

/// What the merger of the lake is shown, and what it answers.
pub(crate) struct Landing {
    pub(crate) description: Table,
    pub(crate) delta: Delta,
    pub(crate) plan: ValidMergePlan,
}

impl Landing {
    /// What the plan does to the lake table.
    ///
    /// # Errors
    /// What of it a lake table cannot do.
    pub(crate) fn change(&self, lake: &LakeTable) -> Result<RowChange, SyncError> {
        let doing = || format!("planning the change to lake table {}", lake.name());
        RowChange::from_plan(&self.plan, &self.description, &self.delta).doing(doing)
    }
}

/// Asks the merger how rows with these columns land in the lake.
pub(crate) async fn landing(
    merging: &Merging,
    table: &Table,
    columns: Vec<Column>,
    contents: Contents,
    lake: &LakeTable,
) -> Result<Landing, SyncError> {
    let doing = || format!("planning the change to lake table {}", lake.name());
    let description = layout::with_collations(lake, lake.describe().doing(doing)?);
    layout::check_source_fits(&table.name, &columns, &description)?;
    let delta = Delta {
        contents,
        operation: None,
        rows: table.row_estimate.unwrap_or(u64::MAX),
        run_time: crate::run_time::now(),
        columns,
    };
    let plan = merging
        .strategy
        .plan(&description, &delta, &merging.options)
        .await?;
    Ok(Landing {
        description,
        delta,
        plan,
    })
}

/// What the rows of the plan are to the lake's merger.
///
/// # Errors
/// A detector that says that it reads everything, with a filter that may leave rows out, where the merger would
/// take those for rows that are gone.
async fn contents(
    job: &SyncJob,
    source: &OpenSource,
    plan: &ValidExtractionPlan,
    complete: bool,
    lake: &LakeTable,
) -> Result<Contents, SyncError> {
    let table = &source.table.table;
    match plan.coverage {
        Coverage::Incremental => return Ok(Contents::Upserts),
        Coverage::Full if complete => return Ok(Contents::Snapshot),
        Coverage::Full => {}
    }
    let columns = source.transforms.columns(&plan.columns_of(table));
    let merging = &job.lake_merge;
    let believed = landing(merging, table, columns, Contents::Snapshot, lake).await?;
    let infers = |clause: &Clause| {
        clause.occasion == Occasion::NotMatchedBySource && clause.action != Action::Skip
    };
    // Nothing is missing from a table without rows.
    if lake.current_snapshot().is_none() || !believed.plan.clauses.iter().any(infers) {
        return Ok(Contents::Upserts);
    }
    Err(SyncError::settings(
        format!(
            "strategy '{}' says that it reads every row of {}, but its filter may leave rows out, and merge '{}' would take those for rows that are gone",
            job.detection.strategy.strategy().description().name,
            table.name,
            merging.strategy.strategy().description().name,
        ),
        "let the merge leave rows that were not read as they are (upsert: delete-missing=false), or read with a strategy that has no filter, such as full-refresh",
    ))
}

async fn lake_change(
    merging: &Merging,
    source: &OpenSource,
    plan: &ValidExtractionPlan,
    contents: Contents,
    lake: &LakeTable,
) -> Result<LakeChange, SyncError> {
    let doing = || format!("planning the change to lake table {}", lake.name());
    let table = &source.table.table;
    let columns = source.transforms.columns(&plan.columns_of(table));
    let landing = landing(merging, table, columns, contents, lake).await?;
    let mut rows = landing.change(lake)?;
    let Landing { delta, plan, .. } = landing;
    let keys = plan.keys.iter().map(|key| key.source);
    let unique_keys = is_the_key(table, &delta, keys.collect());
    let mut withdrawals = None;
    if !source.transforms.is_empty() && rows.has_key() {
        withdrawals = Some(Withdrawals::new(&delta.columns, &rows.key_columns()));
        rows = rows.with_withdrawals().doing(doing)?;
    }
    let fields = lake.columns().doing(doing)?.into_iter().map(|column| {
        let brought = delta.columns.iter().any(|c| c.name == column.name);
        (column.field_id, brought)
    });
    Ok(LakeChange {
        rows,
        unique_keys,
        fields: fields.collect(),
        columns: delta.columns,
        withdrawals,
    })
}

/// Whether these delta columns contain the source's primary key.
fn is_the_key(source: &Table, delta: &Delta, keys: Vec<u32>) -> bool {
    let primary: Vec<&str> = source
        .key()
        .into_iter()
        .filter_map(|ordinal| Some(source.columns.get(ordinal as usize)?.name.as_str()))
        .collect();
    let names: Vec<&str> = keys
        .into_iter()
        .filter_map(|ordinal| Some(delta.columns.get(ordinal as usize)?.name.as_str()))
        .collect();
    !primary.is_empty() && primary.iter().all(|name| names.contains(name))
}
