//! SQL Server: connect, introspect, lower plans to T-SQL, extract to Arrow, stage and merge
