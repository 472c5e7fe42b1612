//! The table of positions, `dbo.icehost_positions`, in the database of the targets.

use crate::connection::Connection;
use crate::error::{ErrorKind, Result};
use crate::introspect::Fields;
use crate::name::TableName;

pub(super) const TABLE: &str = "[dbo].[icehost_positions]";

/// `There is already an object named …`
pub(super) const ALREADY_EXISTS: u32 = 2714;
/// `Column names in each table must be unique. Column name … is specified more than once.`
const COLUMN_EXISTS: u32 = 2705;

/// The key of 16 + 880 bytes stays below the 900 of a clustered index (T-SQL reference, "Maximum capacity
/// specifications").
const CREATE: &str = "CREATE TABLE [dbo].[icehost_positions] (
    [lake_uuid] uniqueidentifier NOT NULL,
    [target_table] nvarchar(440) NOT NULL,
    [lake_table] nvarchar(1000) NOT NULL,
    [snapshot_id] bigint NOT NULL,
    [run_id] nvarchar(100) NOT NULL,
    [rows_inserted] bigint NOT NULL,
    [rows_updated] bigint NOT NULL,
    [rows_deleted] bigint NOT NULL,
    [updated_at] datetime2(3) NOT NULL,
    [target_object_id] int NULL,
    [target_created] datetime NULL,
    [target_rows] bigint NULL,
    [lake_location] nvarchar(1000) NULL,
    [lake_sequence] bigint NULL,
    [merge_digest] nvarchar(100) NULL,
    PRIMARY KEY CLUSTERED ([lake_uuid], [target_table])
);";

/// What earlier versions' tables lack.
const EXTEND: &str = "ALTER TABLE [dbo].[icehost_positions] ADD [target_object_id] int NULL, \
     [target_created] datetime NULL, [target_rows] bigint NULL, [lake_location] nvarchar(1000) NULL, \
     [lake_sequence] bigint NULL, [merge_digest] nvarchar(100) NULL;";
/// What later ones lack.
const EXTEND_BOUND: &str =
    "ALTER TABLE [dbo].[icehost_positions] ADD [merge_digest] nvarchar(100) NULL;";

/// What the table of positions can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PositionsLayout {
    /// It does not exist yet.
    #[default]
    Missing,
    /// An earlier version made it and it could not be altered: it says how far a target is, and not which
    /// table that was.
    Earlier,
    /// It says which table of the target and which line of the lake a position belongs to, but not by which merge the
    /// rows came.
    Bound,
    /// It says that, too.
    Current,
}

/// What to do where a login may not create a table.
pub(super) const MAY_NOT_CREATE: &str =
    "allow the login to create the table, or create it once by hand";

impl PositionsLayout {
    /// Whether a position says what it belongs to.
    pub(super) fn is_bound(self) -> bool {
        matches!(self, PositionsLayout::Bound | PositionsLayout::Current)
    }
}

impl Connection {
    /// Creates the table of positions where it is missing, and adds the columns that an earlier version's
    /// lacks, if the login may. One that may not goes on with what is there.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn ensure_positions(&mut self) -> Result<PositionsLayout> {
        let layout = match self.find_positions().await? {
            PositionsLayout::Missing => match self.client.batch(CREATE).await {
                Ok(_) => PositionsLayout::Current,
                // Another run was faster.
                Err(error) if error.number() == Some(ALREADY_EXISTS) => {
                    self.find_positions().await?
                }
                Err(error) => {
                    let error = error.context(format!("creating {TABLE}"));
                    return Err(error.with_hint(MAY_NOT_CREATE));
                }
            },
            earlier @ (PositionsLayout::Earlier | PositionsLayout::Bound) => {
                let extend = match earlier.is_bound() {
                    true => EXTEND_BOUND,
                    false => EXTEND,
                };
                match self.client.batch(extend).await {
                    Ok(_) => PositionsLayout::Current,
                    Err(error) if error.number() == Some(COLUMN_EXISTS) => {
                        self.find_positions().await?
                    }
                    Err(error)
                        if matches!(error.kind(), ErrorKind::Server(_))
                            && !error.is_transient() =>
                    {
                        tracing::debug!(%error, "the table of positions stays as it is");
                        earlier
                    }
                    Err(error) => return Err(error.context(format!("adding columns to {TABLE}"))),
                }
            }
            PositionsLayout::Current => PositionsLayout::Current,
        };
        self.positions = layout;
        Ok(layout)
    }

    /// The table of positions, and whether it is there.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn positions_table(&mut self) -> Result<(TableName, bool)> {
        let layout = self.find_positions().await?;
        Ok((TableName::parse(TABLE)?, layout != PositionsLayout::Missing))
    }

    /// What is there; nothing is created.
    pub(super) async fn find_positions(&mut self) -> Result<PositionsLayout> {
        let sql = format!(
            "SELECT OBJECT_ID(N'{TABLE}'), (SELECT COUNT(*) FROM sys.columns AS c \
             WHERE c.object_id = OBJECT_ID(N'{TABLE}') AND c.name IN (N'lake_sequence', N'merge_digest'));"
        );
        let answer = self.client.batch(&sql).await?;
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        let (object, extended) = (fields.optional_integer()?, fields.integer()?);
        self.positions = match (object, extended) {
            (None, _) => PositionsLayout::Missing,
            (Some(_), 0) => PositionsLayout::Earlier,
            (Some(_), 1) => PositionsLayout::Bound,
            (Some(_), _) => PositionsLayout::Current,
        };
        Ok(self.positions)
    }
}
