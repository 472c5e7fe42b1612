//! The keys that each section may have. Those of a pipeline are the long options of `icehost sync`.

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Text, or `true` and `false`.
    Word,
    Choice(&'static [&'static str]),
    Flag,
    Count(u64, u64),
    Seconds,
    /// Seconds, of which there may be more than an hour.
    Wait,
    /// Percent, as text like `50%`.
    Percent,
    /// Bytes: a number, or text like `256MiB`.
    Size,
    /// A list of texts, which may be empty: nothing is granted then.
    Grants,
    /// A list of texts.
    Names,
    /// A list of texts, or `"all"`.
    NamesOrAll,
    /// A table of whatever a strategy takes.
    Options,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind }
}

/// The sections of the file, and the warehouse.
pub(crate) const TOP: &[&str] = &[
    "warehouse",
    "defaults",
    "connections",
    "pipelines",
    "registry",
    "strategies",
    "tenants",
];

/// `[connections.NAME]`
pub(crate) const CONNECTION: &[Key] = &[
    key("url", Kind::Text),
    key("server", Kind::Text),
    key("port", Kind::Count(1, 65535)),
    key("database", Kind::Text),
    key("user", Kind::Text),
    key("password", Kind::Text),
    key("password-env", Kind::Text),
    key("password-file", Kind::Text),
    key("allow-inline-secret", Kind::Flag),
    key("encrypt", Kind::Word),
    key("trust-server-certificate", Kind::Flag),
    key("certificate", Kind::Text),
];

/// `[strategies.NAME]`
pub(crate) const STRATEGY: &[Key] = &[
    key("file", Kind::Text),
    key("shipped", Kind::Text),
    key("registry", Kind::Text),
    key("public-key", Kind::Text),
    key("sha256", Kind::Text),
    key("timeout", Kind::Seconds),
    key("memory", Kind::Count(1, 4096)),
    key("columns", Kind::Grants),
    key("imports", Kind::Grants),
    key("options", Kind::Options),
];

/// `[registry]`
pub(crate) const REGISTRY: &[Key] = &[
    key("public-key", Kind::Text),
    key("plain-http", Kind::Names),
];

/// `[pipelines.NAME]`; also `[defaults]` and `[tenants.NAME]`, less [`PIPELINE_ONLY`].
pub(crate) const PIPELINE: &[Key] = &[
    key("tenants", Kind::NamesOrAll),
    key("source", Kind::Text),
    key("database", Kind::Text),
    key("table", Kind::Text),
    key("columns", Kind::Names),
    key("exclude-columns", Kind::Names),
    key("source-name", Kind::Text),
    key("warehouse", Kind::Text),
    key("lake-table", Kind::Text),
    key("lake-namespace", Kind::Text),
    key("strategy", Kind::Text),
    key("strategy-options", Kind::Options),
    key("strategy-timeout", Kind::Seconds),
    key("strategy-memory", Kind::Count(1, 4096)),
    key("merge", Kind::Text),
    key("merge-options", Kind::Options),
    key("lake-merge", Kind::Text),
    key("lake-merge-options", Kind::Options),
    key("target", Kind::Text),
    key("target-database", Kind::Text),
    key("target-table", Kind::Text),
    key("create-target", Kind::Flag),
    key("keys-never-move", Kind::Flag),
    key("column-rules", Kind::Options),
    key("transform", Kind::Names),
    key("transform-options", Kind::Options),
    key("hash-key-env", Kind::Text),
    key("hash-key-file", Kind::Text),
    key("time-precision", Kind::Choice(&["truncate", "error"])),
    key("watermark-dir", Kind::Text),
    key("parallel", Kind::Count(1, 256)),
    key("range-rows", Kind::Count(1, i64::MAX as u64)),
    key("commit", Kind::Choice(&["once", "per-range"])),
    key("memory-limit", Kind::Size),
    key("batch-size", Kind::Count(1, 1024)),
    key("retries", Kind::Count(0, 1000)),
    key("idle-timeout", Kind::Wait),
    key("query-timeout", Kind::Wait),
    key("lock-timeout", Kind::Wait),
    key("reconnect-timeout", Kind::Wait),
    key("allow-masked", Kind::Names),
    key("allow-row-filter", Kind::Flag),
    key("delete-limit", Kind::Percent),
];

/// Keys of a pipeline that a tenant or the defaults cannot have.
pub(crate) const PIPELINE_ONLY: &[&str] = &["tenants"];

/// The keys of a pipeline, for documentation and tests.
pub fn pipeline_keys() -> impl Iterator<Item = &'static str> {
    PIPELINE.iter().map(|key| key.name)
}
