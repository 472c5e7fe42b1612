//! Questions to the catalog that not every server has an answer to.

use crate::name::{TableName, quote};

/// What `sys.tables` says of a table beyond a row each; NULL for what this version of it does not have.
///
/// A name that the innermost query does not know is looked for in the one around it, which knows each as NULL.
/// `is_edge` came with SQL Server 2017, `ledger_type` with 2022.
pub fn table_traits(table: &TableName, id: &str) -> String {
    const TRAITS: [&str; 7] = [
        "is_memory_optimized",
        "temporal_type",
        "is_filetable",
        "is_external",
        "is_node",
        "is_edge",
        "ledger_type",
    ];
    let prefix = prefix(table);
    let each = TRAITS.map(|name| {
        format!("(SELECT {name} FROM {prefix}sys.tables AS t WHERE t.object_id = {id})")
    });
    let absent = TRAITS.map(|name| format!("NULL AS {name}"));
    format!(
        "SELECT {}\nFROM (SELECT {}) AS absent;",
        each.join(",\n       "),
        absent.join(", ")
    )
}

/// The security policies that hide rows of a table from logins, as far as this login may know of them (T-SQL
/// reference, "sys.security_predicates"; since SQL Server 2016).
pub fn row_filters(table: &TableName, id: &str) -> String {
    let prefix = prefix(table);
    format!(
        "SELECT DISTINCT p.name\nFROM {prefix}sys.security_predicates AS r\n\
         JOIN {prefix}sys.security_policies AS p ON p.object_id = r.object_id\n\
         WHERE r.target_object_id = {id} AND r.predicate_type = 0 AND p.is_enabled = 1\nORDER BY p.name;"
    )
}

/// How many rows a table has, as the catalog keeps count, rows of open transactions among them; NULL for a view.
pub fn row_estimate(table: &TableName, object_id: i32) -> String {
    let prefix = prefix(table);
    format!(
        "SELECT SUM(p.[rows]) FROM {prefix}sys.partitions AS p \
         WHERE p.object_id = {object_id} AND p.index_id IN (0, 1);"
    )
}

/// Whether there is a schema of this name in the table's database, as far as the login may know.
pub fn schema_is_there(table: &TableName, name: &str) -> String {
    let prefix = prefix(table);
    format!(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM {prefix}sys.schemas AS s WHERE s.name = {name}) THEN 1 ELSE 0 END;"
    )
}

/// What a synonym stands for.
pub fn synonym(table: &TableName, object: &str) -> String {
    let prefix = prefix(table);
    format!(
        "SELECT n.base_object_name FROM {prefix}sys.synonyms AS n WHERE n.object_id = OBJECT_ID({object});"
    )
}

/// Which tables the columns of a query are of that views may stand between: the query "is analyzed as if it includes a
/// FOR BROWSE option" (T-SQL reference, "sys.dm_exec_describe_first_result_set").
pub fn base_columns(query: &str) -> String {
    format!(
        "SELECT r.name, r.source_database, r.source_schema, r.source_table\n\
         FROM sys.dm_exec_describe_first_result_set({query}, NULL, 1) AS r\n\
         WHERE r.source_server IS NULL AND r.is_hidden = 0\nORDER BY r.column_ordinal;"
    )
}

fn prefix(table: &TableName) -> String {
    let database = table
        .database()
        .map(|database| format!("{}.", quote(database)));
    database.unwrap_or_default()
}
