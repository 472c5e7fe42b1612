//! What the server says of itself.

use crate::driver::Client;
use crate::error::Result;
use crate::introspect::Fields;

/// A server's product, version and abilities, found by asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// First line of `@@VERSION`.
    pub product: String,
    /// `SERVERPROPERTY('ProductVersion')`, such as `16.0.1000.6`; empty where the server has none.
    pub version: String,
    /// The connection's database.
    pub database: String,
    /// What it does otherwise than SQL Server.
    pub quirks: Quirks,
}

/// What a server that speaks like SQL Server does otherwise, as far as it concerns icehost. SQL Server has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks {
    /// It knows no `MERGE`: a load uses `UPDATE`, `INSERT` and `DELETE` in one transaction.
    pub no_merge: bool,
    /// It reads decimals and times of a bulk load wrongly, which then go as text, and has no use for its options.
    pub misreads_bulk_loads: bool,
    /// It takes a `datetime` parameter for a little less than it is, so that `column <= @p` misses the row at the
    /// bound; the parameter goes as `datetime2(3)`.
    pub misreads_datetime: bool,
    /// It gives `char(n)` without the blanks that fill it up.
    pub unpadded_char: bool,
    /// It gives another moment of a table's creation in each query; its object ids are not used again.
    pub no_creation_times: bool,
    /// It does not honour lock hints: a table that was found empty can be filled before the transaction ends.
    pub ignores_lock_hints: bool,
    /// It tells permissions on tables only: of databases and schemas every user but dbo has none.
    pub tells_permissions_of_tables_only: bool,
}

impl Quirks {
    /// Babelfish for PostgreSQL, as it was tried.
    pub const BABELFISH: Quirks = Quirks {
        no_merge: true,
        misreads_bulk_loads: true,
        misreads_datetime: true,
        unpadded_char: true,
        no_creation_times: true,
        ignores_lock_hints: true,
        tells_permissions_of_tables_only: true,
    };

    /// By what the server says of itself, and whether it has been found to know `MERGE`.
    fn of(banner: &str, has_merge: bool) -> Quirks {
        let known = match banner.contains("Babelfish") {
            true => Quirks::BABELFISH,
            false => Quirks::default(),
        };
        Quirks {
            no_merge: !has_merge,
            ..known
        }
    }
}

/// A statement that does nothing where MERGE is known, and fails where it is not.
const MERGE_PROBE: &str = "CREATE TABLE #icehost_probe (k int NOT NULL PRIMARY KEY);
MERGE #icehost_probe WITH (HOLDLOCK) AS T USING (SELECT 1 AS k) AS S ON T.k = S.k WHEN MATCHED THEN DELETE;
DROP TABLE #icehost_probe;";

impl ServerInfo {
    /// It knows `MERGE`.
    pub fn has_merge(&self) -> bool {
        !self.quirks.no_merge
    }

    pub(crate) async fn ask(client: &mut Client) -> Result<ServerInfo> {
        let answer = client
            .batch(
                "SELECT CAST(@@VERSION AS nvarchar(400)), \
                 CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), DB_NAME();",
            )
            .await
            .map_err(|error| error.context("asking the server for its version"))?;
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        let banner = fields.text()?;
        let version = fields.optional_text()?.unwrap_or_default();
        let database = fields.optional_text()?.unwrap_or_default();
        let product = banner.lines().next().unwrap_or_default().trim().to_owned();
        // Every SQL Server since 2008 has MERGE; what only speaks like one is asked.
        let has_merge = if product.starts_with("Microsoft SQL Server")
            || product.starts_with("Microsoft SQL Azure")
        {
            true
        } else {
            match client.batch(MERGE_PROBE).await {
                Ok(_) => true,
                Err(error) if error.number().is_some() => {
                    tracing::debug!(%error, "the server has no MERGE");
                    false
                }
                Err(error) => return Err(error),
            }
        };
        Ok(ServerInfo {
            quirks: Quirks::of(&banner, has_merge),
            product,
            version,
            database,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_server_has_no_quirks_and_babelfish_may_have_learnt_merge() {
        let microsoft = "Microsoft SQL Server 2022 (RTM) - 16.0.1000.6 (X64)";
        assert_eq!(Quirks::of(microsoft, true), Quirks::default());
        let babelfish = "Babelfish for PostgreSQL with SQL Server Compatibility - 12.0.2000.8";
        assert_eq!(Quirks::of(babelfish, false), Quirks::BABELFISH);
        let newer = Quirks::of(babelfish, true);
        assert!(!newer.no_merge && newer.ignores_lock_hints);
    }
}
