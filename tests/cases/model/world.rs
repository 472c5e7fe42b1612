//! A source, a lake and a target on which events happen, and what the model knows of them.

use std::collections::BTreeMap;
use std::sync::{OnceLock, PoisonError, RwLock};

use icehost_devserver::{DevServer, RunningServer, Tls};
use icehost_sqlserver::Endpoint;
use icehost_sync::{Report, Silent, SyncError, SyncJob, load, sync};
use icehost_tests::Command;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, LOCK_TIMEOUT};
use crate::ending::ends_after;
use crate::engine;
use crate::event::{Event, PLACES};
use crate::marks;
use crate::oracle;
use crate::pipeline::{Detector, IntoLake, IntoTarget, Pipeline, Places, Strategies};
use crate::row::{Row, by_key, folded};
use crate::way::{self, Step};

/// How long a transaction may stay open, in seconds of the model: what the strategies read again by default.
const LONGEST_TRANSACTION: i64 = 50;

/// Most commands that the same error may take to be gone, each after what the one before it has said.
const LONGEST_WAY: usize = 6;

/// The strategies of all cases of a process.
fn strategies() -> &'static Strategies {
    static STRATEGIES: OnceLock<Strategies> = OnceLock::new();
    STRATEGIES.get_or_init(|| runtime().block_on(Strategies::load()))
}

/// Failpoints belong to the whole process: a run that is to fail is alone, others are together.
static TURN: RwLock<()> = RwLock::new(());

fn url(server: &RunningServer, database: &str) -> String {
    let mut url = server.url(database);
    // Encryption is not what is modelled here.
    if let Some(at) = url.find('?') {
        url.truncate(at);
    }
    url.push_str("?encrypt=false");
    url
}

/// A transaction that is open.
struct Open {
    database: Database,
    since: i64,
    /// What its write counts as.
    value: i64,
}

/// One case.
pub struct World {
    pub pipeline: Pipeline,
    /// Its clock stands, and moves with the events.
    server: RunningServer,
    runtime: Runtime,
    places: Places,
    source: Database,
    target: Database,
    slots: BTreeMap<u8, Open>,
    /// Seconds since the case began.
    clock: i64,
    writes: i64,
    /// Every image that was ever committed in the source.
    history: Vec<Row>,
    /// Something happened beside icehost that it may stop at.
    interfered: bool,
    /// A run has stopped since the last that succeeded, because the newest rows were gone.
    newest_was_gone: bool,
    /// Another engine has written rows of the lake again, and with them their order.
    rewritten: bool,
    _directory: TempDir,
}

impl World {
    pub fn new(pipeline: Pipeline) -> World {
        let runtime = runtime();
        let builder = DevServer::builder().tls(Tls::None);
        let builder = builder.database("Source").database("Target");
        let server = runtime.block_on(builder.start()).expect("a server");
        server.engine().clock().stop(true);
        // In memory where there is such a place: thousands of lakes are made and read once.
        let memory = std::path::Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let directory = directory.expect("a temporary directory");
        let endpoint = |database| Endpoint::parse(&url(&server, database)).expect("an endpoint");
        let places = Places {
            source: endpoint("Source"),
            target: endpoint("Target"),
            warehouse: directory.path().join("warehouse"),
        };
        let mut world = World {
            pipeline,
            runtime,
            source: Database::open(server.engine(), "Source"),
            target: Database::open(server.engine(), "Target"),
            server,
            places,
            slots: BTreeMap::new(),
            clock: 0,
            writes: 0,
            history: Vec::new(),
            interfered: false,
            newest_was_gone: false,
            rewritten: false,
            _directory: directory,
        };
        world
            .source
            .execute("ALTER DATABASE Source SET ALLOW_SNAPSHOT_ISOLATION ON");
        let version = world.version_column("rowversion NOT NULL");
        world.source.execute(&format!(
            "CREATE TABLE dbo.T (K nvarchar(8) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY,
             Seq bigint NOT NULL, V bigint NOT NULL, Changed datetime2(0) NOT NULL{version})"
        ));
        world.create_target();
        world
    }

    fn version_column(&self, sql_type: &str) -> String {
        match self.pipeline.detector {
            Detector::Rowversion => format!(", Version {sql_type}"),
            _ => String::new(),
        }
    }

    fn create_target(&mut self) {
        let columns = "K nvarchar(8) COLLATE Latin1_General_CI_AS NOT NULL, Seq bigint NOT NULL,
                       V bigint NOT NULL, Changed datetime2(0) NOT NULL";
        let version = self.version_column("binary(8) NOT NULL");
        let own = match self.pipeline.target {
            IntoTarget::Upsert => ", PRIMARY KEY (K)",
            IntoTarget::AppendOnly => "",
            IntoTarget::SoftDelete => {
                ", IsDeleted bit NOT NULL, DeletedAt datetime2(3) NULL, PRIMARY KEY (K)"
            }
            IntoTarget::Scd2 => {
                ", ValidFrom datetime2(7) NOT NULL, ValidTo datetime2(7) NULL,
                 VersionId bigint IDENTITY NOT NULL PRIMARY KEY"
            }
        };
        self.target
            .execute(&format!("CREATE TABLE dbo.T ({columns}{version}{own})"));
    }

    /// Lets an event happen.
    ///
    /// # Errors
    /// What does not hold any more.
    pub fn happen(&mut self, event: Event) -> Result<(), String> {
        self.interfered |= event.is_interference();
        match event {
            Event::Write { key } => {
                self.tick(1);
                self.write(key, None);
            }
            Event::Tie { key } => self.write(key, None),
            Event::Respell { key } => {
                self.tick(1);
                let spelled = name(key).to_uppercase();
                self.write(key, Some(&spelled));
            }
            Event::Delete { key } => self.change(&delete(key)),
            Event::Reuse { key } => {
                self.tick(1);
                self.change(&delete(key));
                self.write(key, None);
            }
            Event::Empty => self.change("DELETE FROM dbo.T"),
            Event::Open { slot, key } => self.open(slot, key),
            Event::Commit { slot } => self.commit(slot),
            Event::Pause { seconds } => self.tick(i64::from(seconds)),
            Event::Sync => self.sync()?,
            Event::SyncFails { place } => self.sync_fails(PLACES[usize::from(place)])?,
            Event::SyncEnds { steps } => self.sync_ends(steps)?,
            Event::TwoSyncs => self.two_syncs()?,
            Event::Load => self.load(false)?,
            Event::LoadFull => self.load(true)?,
            Event::Compact => self.compact(false)?,
            Event::Deduplicate => self.compact(true)?,
            Event::DropOldVersions { file } => self.drop_old_versions(file)?,
            Event::Expire => self.interfered |= engine::expire(&self.lake()),
            Event::Rollback => self.interfered |= engine::roll_back(&self.lake()),
            Event::DropLake => self.drop_lake()?,
            Event::ClearWatermark => self.clear_watermark()?,
            Event::Truncate => self.at_target("TRUNCATE TABLE dbo.T"),
            Event::Recreate => {
                self.at_target("DROP TABLE dbo.T");
                self.create_target();
            }
        }
        Ok(())
    }

    /// The same command until it succeeds, by the ways that it names; then all is equal.
    ///
    /// # Errors
    /// There is no way, or it does not end in equality.
    pub fn recover(&mut self) -> Result<(), String> {
        for slot in [0, 1] {
            self.commit(slot);
        }
        let mut told = Vec::new();
        let mut restart = false;
        for _ in 0..LONGEST_WAY {
            let error = match self.run_sync(std::mem::take(&mut restart)) {
                Ok(_) => return self.check(),
                Err(error) => error,
            };
            let hint = error.hint().unwrap_or_default();
            told.push(format!("{error} [{hint}]"));
            self.may_stop(&error)?;
            for step in way::steps(&hint) {
                match step {
                    Step::EmptyTarget => self.at_target("TRUNCATE TABLE dbo.T"),
                    Step::LoadFull => {
                        let loaded = self.run_load(true);
                        loaded.map_err(|e| format!("load --full: {e}"))?;
                        self.check_target()?;
                    }
                    Step::ClearWatermark => self.clear_watermark()?,
                    Step::EarlierMark => {
                        let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
                        let (warehouse, detector) =
                            (&self.places.warehouse, self.pipeline.detector);
                        self.runtime
                            .block_on(marks::set_back(warehouse, detector))?;
                    }
                    Step::Restart => restart = true,
                    Step::NewLakeTable => self.drop_lake()?,
                }
            }
        }
        Err(format!("no way on: {}", told.join("; ")))
    }

    // Users of the source

    /// Time passes; transactions that would be open for too long commit before.
    fn tick(&mut self, seconds: i64) {
        let late: Vec<u8> = self
            .slots
            .iter()
            .filter(|(_, open)| self.clock + seconds > open.since + LONGEST_TRANSACTION)
            .map(|(slot, _)| *slot)
            .collect();
        for slot in late {
            self.commit(slot);
        }
        self.clock += seconds;
        self.server.engine().clock().advance(seconds);
    }

    /// The statement of the next write: it changes the row of a key, or adds it.
    fn next(&mut self, key: u8, spelled: Option<&str>) -> String {
        self.writes += 1;
        let key = spelled.map_or_else(|| name(key), str::to_owned);
        let number = self.writes;
        let changed = "SYSUTCDATETIME()";
        format!(
            "UPDATE dbo.T SET K = N'{key}', V = {number}, Changed = {changed} WHERE K = N'{key}';
             IF @@ROWCOUNT = 0
                 INSERT INTO dbo.T (K, Seq, V, Changed) VALUES (N'{key}', {number}, {number}, {changed});"
        )
    }

    fn write(&mut self, key: u8, spelled: Option<&str>) {
        let statement = self.next(key, spelled);
        self.change(&statement);
        self.remember();
    }

    /// Changes the source; who holds a lock that is in the way commits before.
    fn change(&mut self, sql: &str) {
        for attempt in 0.. {
            match self.source.try_rows(sql) {
                Ok(_) => return,
                Err(error) if error.number == LOCK_TIMEOUT && attempt == 0 => {
                    for slot in [0, 1] {
                        self.commit(slot);
                    }
                }
                Err(error) => panic!("{sql}\n{error}"),
            }
        }
    }

    /// Adds what is in the source to what was ever there.
    fn remember(&mut self) {
        for row in oracle::rows(&mut self.source) {
            if !self.history.contains(&row) {
                self.history.push(row);
            }
        }
    }

    fn open(&mut self, slot: u8, key: u8) {
        self.commit(slot);
        self.tick(1);
        let statement = self.next(key, None);
        let mut database = Database::open(self.server.engine(), "Source");
        database.execute("BEGIN TRANSACTION");
        match database.try_rows(&statement) {
            Ok(_) => {
                let open = Open {
                    database,
                    since: self.clock,
                    value: self.writes,
                };
                self.slots.insert(slot, open);
            }
            // Another one holds the row.
            Err(error) if error.number == LOCK_TIMEOUT => {}
            Err(error) => panic!("{statement}\n{error}"),
        }
    }

    fn commit(&mut self, slot: u8) {
        if let Some(mut open) = self.slots.remove(&slot) {
            open.database.execute("COMMIT TRANSACTION");
            self.remember();
        }
    }

    // Runs

    fn job(&self) -> SyncJob {
        self.pipeline.sync_job(strategies(), &self.places)
    }

    fn run_sync(&self, restart: bool) -> Result<Report, SyncError> {
        let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
        let (mut job, cancel) = (self.job(), CancellationToken::new());
        job.settings.first_load.restart = restart;
        self.runtime.block_on(sync(&job, &Silent, &cancel))
    }

    fn sync(&mut self) -> Result<(), String> {
        match self.run_sync(false) {
            Ok(_) => self.succeeded(),
            Err(error) => self.may_stop(&error),
        }
    }

    /// After a run that succeeded all is equal, and what happened before it is no reason to stop any more.
    fn succeeded(&mut self) -> Result<(), String> {
        self.interfered = false;
        self.newest_was_gone = false;
        self.check()
    }

    /// A run may stop where something happened beside it; where the newest rows went and others came below
    /// them, as if the table had been filled again, which is not forgotten when newer ones come; and where it has to bring the newest row of a key whose rows
    /// another engine has written again; nowhere else.
    fn may_stop(&mut self, error: &SyncError) -> Result<(), String> {
        let text = error.to_string();
        let started_over = text.contains("rows below that are new");
        let unordered = text.contains("nothing tells which of them is the newest");
        self.newest_was_gone |= started_over && self.newest_is_gone();
        let remembered = text.starts_with("an earlier run of lake table");
        let caused = self.interfered
            || (started_over && self.newest_is_gone())
            || (started_over && remembered && self.newest_was_gone)
            || (unordered && self.order_is_lost()?);
        match caused {
            true => Ok(()),
            false => Err(format!(
                "a run stopped without a cause: {error} [{}]",
                error.hint().unwrap_or_default()
            )),
        }
    }

    /// Whether another engine has written the lake again while keys had several rows, and they still have.
    fn order_is_lost(&self) -> Result<bool, String> {
        let rows = self
            .runtime
            .block_on(oracle::lake(&self.places.warehouse))?;
        Ok(self.rewritten && by_key(&rows, "the lake").is_err())
    }

    /// Whether no row of the source is as new as one was.
    fn newest_is_gone(&mut self) -> bool {
        let cursor = |row: &Row| match self.pipeline.detector {
            Detector::Timestamp => row.changed,
            Detector::Id | Detector::Rowversion | Detector::FullRefresh => row.sequence,
        };
        let was = self.history.iter().map(cursor).max();
        let is = oracle::rows(&mut self.source).iter().map(cursor).max();
        is < was
    }

    fn sync_fails(&mut self, place: &str) -> Result<(), String> {
        let result = {
            let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
            fail::cfg(place, "1*return")?;
            let (job, cancel) = (self.job(), CancellationToken::new());
            let result = self.runtime.block_on(sync(&job, &Silent, &cancel));
            fail::remove(place);
            result
        };
        match result {
            Ok(_) => self.succeeded(),
            Err(error) if error.to_string().contains(place) => Ok(()),
            Err(error) => self.may_stop(&error),
        }
    }

    /// A run in a process of its own that dies at a place, if it comes there.
    ///
    /// # Errors
    /// It did neither that nor succeed.
    pub fn sync_dies(&mut self, place: &str) -> Result<(), String> {
        let [source, target] = ["Source", "Target"].map(|database| url(&self.server, database));
        let run = Command::new(["sync", "--table", "dbo.T", "--lake-table", "demo.t"])
            .args(["--source", &source, "--target", &target, "--retries", "0"])
            .args(["--warehouse", &self.places.warehouse.display().to_string()])
            .args(self.pipeline.arguments())
            .failpoint(place, "return(crash)")
            .run();
        match run.code {
            // A signal ended it.
            None => Ok(()),
            Some(0) => self.succeeded(),
            Some(_) => Err(format!("{place}: {}", run.stderr)),
        }
    }

    fn sync_ends(&mut self, steps: u16) -> Result<(), String> {
        let finished = {
            let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
            let (job, cancel) = (self.job(), CancellationToken::new());
            self.runtime
                .block_on(ends_after(steps, sync(&job, &Silent, &cancel)))
        };
        // What runs on threads of its own runs to its end; a process that is gone has none.
        self.runtime = runtime();
        match finished {
            Some(Ok(_)) => self.succeeded(),
            Some(Err(error)) => self.may_stop(&error),
            None => Ok(()),
        }
    }

    fn two_syncs(&mut self) -> Result<(), String> {
        let (one, other) = {
            let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
            let cancel = CancellationToken::new();
            let (first, second) = (self.job(), self.job());
            self.runtime.block_on(async {
                tokio::join!(
                    sync(&first, &Silent, &cancel),
                    sync(&second, &Silent, &cancel)
                )
            })
        };
        match (one, other) {
            (Ok(_), Ok(_)) => self.succeeded(),
            // A first load lets nobody beside it; and one that stopped has not delivered what it landed.
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => self.check_lake(),
            (Err(error), Err(_)) => self.may_stop(&error),
        }
    }

    fn run_load(&mut self, full: bool) -> Result<Report, SyncError> {
        let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
        let job = self.pipeline.load_job(strategies(), &self.places, full);
        let cancel = CancellationToken::new();
        self.runtime.block_on(load(&job, &Silent, &cancel))
    }

    fn load(&mut self, full: bool) -> Result<(), String> {
        if engine::metadata(&self.lake()).is_none() {
            return Ok(());
        }
        match self.run_load(full) {
            Ok(_) => self.check_target(),
            Err(_) if full && self.pipeline.target == IntoTarget::AppendOnly => Ok(()),
            Err(error) => self.may_stop(&error),
        }
    }

    // Others

    fn lake(&self) -> std::path::PathBuf {
        self.places.warehouse.join("demo/t")
    }

    fn at_target(&mut self, sql: &str) {
        oracle::patiently(&mut self.target, sql);
    }

    /// Another engine writes the lake's rows again, all of them or the newest of each key.
    fn compact(&mut self, newest: bool) -> Result<(), String> {
        let table = self.lake();
        self.interfered |= self.first_load_is_under_way();
        let batch = self
            .runtime
            .block_on(oracle::lake_batch(&self.places.warehouse))?;
        if let Some(mut rows) = batch {
            self.rewritten = true;
            if newest {
                rows = oracle::newest_of_each_key(&rows);
            }
            self.runtime.block_on(engine::compact(&table, &rows));
        }
        Ok(())
    }

    /// Another engine writes one of the lake's files again, without rows that have newer versions elsewhere.
    fn drop_old_versions(&mut self, file: u8) -> Result<(), String> {
        if self.pipeline.lake != IntoLake::AppendOnly {
            // There are none.
            return Ok(());
        }
        self.interfered |= self.first_load_is_under_way();
        let table = self.lake();
        let all = self
            .runtime
            .block_on(oracle::lake_batch(&self.places.warehouse))?;
        if let Some(all) = all {
            self.rewritten = true;
            let keep = oracle::newest_values(&all);
            self.runtime
                .block_on(engine::drop_from_file(&table, file, &|rows| {
                    oracle::having_values(rows, &keep)
                }));
        }
        Ok(())
    }

    /// Nobody else may write to such a table, and the load may stop where somebody did.
    fn first_load_is_under_way(&self) -> bool {
        self.lake()
            .join("metadata/icehost-first-load.json")
            .exists()
    }

    fn drop_lake(&mut self) -> Result<(), String> {
        self.rewritten = false;
        match self.lake().exists() {
            true => std::fs::remove_dir_all(self.lake()).map_err(|e| e.to_string()),
            false => Ok(()),
        }
    }

    fn clear_watermark(&mut self) -> Result<(), String> {
        let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
        let warehouse = self.places.warehouse.clone();
        self.runtime.block_on(marks::clear(&warehouse))
    }

    // What holds

    fn check(&mut self) -> Result<(), String> {
        self.check_lake()?;
        self.check_target()
    }

    fn check_lake(&mut self) -> Result<(), String> {
        let mut source = oracle::rows(&mut self.source);
        if self.pipeline.detector == Detector::Rowversion {
            // What was written after a transaction that is open waits for that to end.
            let open = self.slots.values().map(|open| open.value).min();
            source.retain(|row| open.is_none_or(|open| row.value < open));
        }
        let lake = self
            .runtime
            .block_on(oracle::lake(&self.places.warehouse))?;
        oracle::check_lake(self.pipeline, &source, &lake, &self.history)
    }

    fn check_target(&mut self) -> Result<(), String> {
        let lake = self
            .runtime
            .block_on(oracle::lake(&self.places.warehouse))?;
        let target = oracle::Target::read(self.pipeline.target, &mut self.target);
        target.check(self.pipeline, &lake, &self.history)
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn name(key: u8) -> String {
    format!("key{}", char::from(b'a' + key))
}

fn delete(key: u8) -> String {
    format!("DELETE FROM dbo.T WHERE K = N'{}'", folded(&name(key)))
}
