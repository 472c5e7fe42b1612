//! the vocabulary that strategies, SQL Server and the lake share: tables, values, expressions, plans, watermarks
