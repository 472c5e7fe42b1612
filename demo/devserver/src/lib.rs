//! the development SQL Server: TDS 7.4 for demo and tests
