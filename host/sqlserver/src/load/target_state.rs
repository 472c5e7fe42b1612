//! What a target is and holds, and what the table of positions says of it: whether they belong together is for
//! the caller to decide.

use icehost_plan::{Length, SqlType, Value};
use uuid::Uuid;

use super::loss::{Loss, decode};
use super::positions_table::{PositionsLayout, TABLE};
use crate::connection::Connection;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::introspect::{Fields, SqlTable};
use crate::lower;
use crate::name::{TableName, quote};
use crate::statement::Parameters;

pub(super) const NVARCHAR: SqlType = SqlType::NVarChar(Length::Limited(4000));

/// `The … permission was denied on the object …`
const NO_PERMISSION: u32 = 229;

/// How often rows and positions are looked at until they are of one moment.
const LOOKS: usize = 3;

/// Which table a name stands for: one that is dropped and created again is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableIdentity {
    /// `sys.objects.object_id`.
    pub object_id: i32,
    /// `sys.objects.create_date`, as text; `None` where the server has none.
    pub created: Option<String>,
}

/// A row of the table of positions. What a row of an earlier version does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPosition {
    /// The lake table's `table-uuid`.
    pub lake_uuid: Uuid,
    /// The lake table's name, for people.
    pub lake_table: String,
    /// Where the lake table lay.
    pub lake_location: Option<String>,
    /// The snapshot whose rows the target has.
    pub snapshot_id: i64,
    /// That snapshot's sequence number.
    pub sequence_number: Option<i64>,
    /// The run that brought it there.
    pub run_id: String,
    /// The table that it brought there.
    pub target: Option<TableIdentity>,
    /// The rows that the table had then.
    pub target_rows: Option<u64>,
    /// What a run of another lake table has found to be lost since.
    pub loss: Option<Loss>,
    /// A digest of the merge by which the rows came.
    pub merge: Option<String>,
}

/// More positions of a target than are read.
pub const MOST_POSITIONS: usize = 10_000;

/// A target, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// The table that has the name now.
    pub identity: TableIdentity,
    /// It has no row.
    pub empty: bool,
    /// Its number of rows, as the catalog has it (`sys.partitions`); `None` where that keeps none.
    pub rows: Option<u64>,
    /// How far it has followed the lake table that was asked about.
    pub own: Option<KnownPosition>,
    /// How far it has followed other lake tables; the first [`MOST_POSITIONS`].
    pub others: Vec<KnownPosition>,
    /// The lake table whose position was written last.
    pub last: Option<Uuid>,
    /// What the table of positions can tell.
    pub layout: PositionsLayout,
}

impl Connection {
    /// What the target is and holds, and what is known of its positions.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where the name stands for another table than when `target` was described, and
    /// whatever the server reports.
    pub async fn target_state(
        &mut self,
        lake_uuid: Uuid,
        target: &SqlTable,
    ) -> Result<TargetState> {
        let reading =
            |error: SqlServerError| error.context(format!("reading the state of {}", target.name));
        let identity = self.table_identity(&target.name).await.map_err(reading)?;
        let identity = match identity {
            Some(identity) if identity.object_id == target.object_id => identity,
            _ => return Err(replaced(&target.name)),
        };
        let layout = self.find_positions().await.map_err(reading)?;
        let mut known = self.known_positions(target).await.map_err(reading)?;
        let (mut empty, mut rows) = self.rows_there(&target.name, identity.object_id).await?;
        // Rows and positions are of one moment where no run of another lake table came between.
        for _ in 0..LOOKS {
            if known.iter().all(|position| position.lake_uuid == lake_uuid) {
                break;
            }
            let again = self.known_positions(target).await.map_err(reading)?;
            if again == known {
                break;
            }
            known = again;
            (empty, rows) = self.rows_there(&target.name, identity.object_id).await?;
        }
        let last = known.first().map(|position| position.lake_uuid);
        let own = known
            .iter()
            .position(|position| position.lake_uuid == lake_uuid)
            .map(|at| known.remove(at));
        Ok(TargetState {
            identity,
            empty,
            rows,
            own,
            others: known,
            last,
            layout,
        })
    }

    /// The snapshot of the lake table that `target` has reached, and what else is known of that; `None` before
    /// its first load.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn read_position(
        &mut self,
        lake_uuid: Uuid,
        target: &SqlTable,
    ) -> Result<Option<KnownPosition>> {
        self.find_positions().await?;
        let known = self
            .known_positions(target)
            .await
            .map_err(|error| error.context(format!("reading the position of {}", target.name)))?;
        Ok(known
            .into_iter()
            .find(|position| position.lake_uuid == lake_uuid))
    }

    /// Refuses a target in a database that nobody can write to.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one, and whatever the server reports.
    pub async fn check_updatable(&mut self, target: &TableName) -> Result<()> {
        let question = lower::updateability(target.database());
        let answer =
            self.client.run(&question).await.map_err(|error| {
                error.context(format!("asking whether {target} can be written to"))
            })?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        match Fields::of(row).optional_text()?.as_deref() {
            Some("READ_ONLY") => {
                let database = target.database().unwrap_or(&self.server.database);
                Err(SqlServerError::unsupported(format!(
                    "the database {database} is read-only, a readable secondary perhaps: nothing can be loaded into it"
                ))
                .with_hint("load into the primary"))
            }
            _ => Ok(()),
        }
    }

    /// Which table has this name now.
    pub(super) async fn table_identity(
        &mut self,
        name: &TableName,
    ) -> Result<Option<TableIdentity>> {
        let mut parameters = Parameters::default();
        let object = parameters.add(NVARCHAR, Value::Text(name.sql()));
        let statement = parameters.finish(format!(
            "SELECT o.object_id, CONVERT(nvarchar(40), o.create_date, 121) FROM {}sys.objects AS o \
             WHERE o.object_id = OBJECT_ID({object});",
            catalog_of(name)
        ));
        let answer = self.client.run(&statement).await?;
        let Some(row) = answer.rows().into_iter().next() else {
            return Ok(None);
        };
        let mut fields = Fields::of(row);
        let object_id = fields.integer()? as i32;
        let created = fields.optional_text()?;
        Ok(Some(TableIdentity {
            object_id,
            created: created.filter(|_| !self.server.quirks.no_creation_times),
        }))
    }

    /// Whether the table has no row, and how many it has, as far as the catalog tells. The catalog's count is
    /// asked first: a look at the table waits for whoever has locked it.
    pub(super) async fn rows_there(
        &mut self,
        name: &TableName,
        object_id: i32,
    ) -> Result<(bool, Option<u64>)> {
        let counting =
            |error: SqlServerError| error.context(format!("counting the rows of {name}"));
        let sql = lower::row_estimate(name, object_id);
        let answer = self.client.batch(&sql).await.map_err(counting)?;
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        let counted = fields
            .optional_integer()?
            .and_then(|rows| u64::try_from(rows).ok());
        if counted.is_some_and(|rows| rows > 0) {
            return Ok((false, counted));
        }
        let sql = format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM {}) THEN 1 ELSE 0 END;",
            name.sql()
        );
        match self.client.batch(&sql).await {
            Ok(answer) => {
                let row = answer.rows().into_iter().next().unwrap_or_default();
                match Fields::of(row).flag()? {
                    true => Ok((false, None)),
                    false => Ok((true, Some(0))),
                }
            }
            // Whoever may only insert has to take the catalog's word.
            Err(error) if error.number() == Some(NO_PERMISSION) => Ok((counted.is_some(), counted)),
            Err(error) => Err(counting(error)),
        }
    }

    /// The rows of the table of positions that speak of this target, as far as there are [`MOST_POSITIONS`].
    pub(super) async fn known_positions(
        &mut self,
        target: &SqlTable,
    ) -> Result<Vec<KnownPosition>> {
        let more = match self.positions {
            PositionsLayout::Missing => return Ok(Vec::new()),
            PositionsLayout::Earlier => "NULL, NULL, NULL, NULL, NULL, NULL",
            PositionsLayout::Bound => {
                "[target_object_id], CONVERT(nvarchar(40), [target_created], 121), [target_rows], \
                 [lake_location], [lake_sequence], NULL"
            }
            PositionsLayout::Current => {
                "[target_object_id], CONVERT(nvarchar(40), [target_created], 121), [target_rows], \
                 [lake_location], [lake_sequence], [merge_digest]"
            }
        };
        let mut parameters = Parameters::default();
        let name = parameters.add(NVARCHAR, Value::Text(key(target)));
        let statement = parameters.finish(format!(
            "SELECT TOP ({MOST_POSITIONS}) CONVERT(nvarchar(40), [lake_uuid]), [lake_table], [snapshot_id], [run_id], {more}
FROM {TABLE}
WHERE [target_table] = {name}
ORDER BY [updated_at] DESC;"
        ));
        let answer = self.client.run(&statement).await?;
        let mut known = Vec::new();
        for row in answer.rows() {
            let mut fields = Fields::of(row);
            let uuid = fields.text()?;
            let lake_uuid = Uuid::parse_str(uuid.trim()).map_err(|_| {
                SqlServerError::protocol(format!("{TABLE} has a lake_uuid that is none: {uuid}"))
            })?;
            let (lake_table, snapshot_id, run_id) =
                (fields.text()?, fields.integer()?, fields.text()?);
            let object_id = fields.optional_integer()?;
            let created = fields.optional_text()?;
            let (target_rows, loss) = decode(fields.optional_integer()?);
            known.push(KnownPosition {
                lake_uuid,
                lake_table,
                snapshot_id,
                run_id,
                target: object_id.map(|object_id| TableIdentity {
                    object_id: object_id as i32,
                    created,
                }),
                target_rows,
                loss,
                lake_location: fields.optional_text()?,
                sequence_number: fields.optional_integer()?,
                merge: fields.optional_text()?,
            });
        }
        Ok(known)
    }
}

/// The target's name as the positions have it: quoted, as the server spells it.
pub(super) fn key(target: &SqlTable) -> String {
    target.name.sql()
}

/// Another table has taken the name of the one that was described.
pub(super) fn replaced(name: &TableName) -> SqlServerError {
    SqlServerError::new(
        ErrorKind::Conflict,
        format!("{name} has been dropped or created again meanwhile"),
    )
    .with_hint("run again: it starts with the table that is there now")
}

/// What stands before `sys.` in the database of a table.
fn catalog_of(name: &TableName) -> String {
    name.database()
        .map(|database| format!("{}.", quote(database)))
        .unwrap_or_default()
}
