//! Iceberg tables in a filesystem catalog: append, row-level changes, reads, changes between snapshots
