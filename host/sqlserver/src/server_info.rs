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
    /// It knows `MERGE`; without it, a load uses `UPDATE`, `INSERT` and `DELETE` in one transaction.
    pub has_merge: bool,
    /// It is Babelfish for PostgreSQL, which reads bulk-loaded decimals and times wrongly and does not pad `char`.
    pub is_babelfish: bool,
}

/// A statement that does nothing where MERGE is known, and fails where it is not.
const MERGE_PROBE: &str = "CREATE TABLE #icehost_probe (k int NOT NULL PRIMARY KEY);
MERGE #icehost_probe WITH (HOLDLOCK) AS T USING (SELECT 1 AS k) AS S ON T.k = S.k WHEN MATCHED THEN DELETE;
DROP TABLE #icehost_probe;";

impl ServerInfo {
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
            is_babelfish: banner.contains("Babelfish"),
            product,
            version,
            database,
            has_merge,
        })
    }
}
