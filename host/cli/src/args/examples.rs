//! How each command is typed.

pub(super) const SYNC: &str = "\
Examples:
  icehost sync --source 'mssql://reader@db/Shop' --table dbo.Customers --warehouse lake --strategy timestamp --merge upsert
  icehost sync                      # every pipeline of ./icehost.toml
  icehost sync customers --jobs 4   # one of them, for each of its tenants";

pub(super) const CHECK: &str = "\
Examples:
  icehost check              # ./icehost.toml, its servers and its tables
  icehost check --offline    # the file and its strategies alone";

pub(super) const LOAD: &str = "\
Examples:
  icehost load --warehouse lake --lake-table shop.customers --target 'mssql://writer@db/Reporting' --merge upsert
  icehost load customers --full    # a pipeline of ./icehost.toml, every row again";

pub(super) const VERIFY: &str = "\
Examples:
  icehost verify customers             # a pipeline of ./icehost.toml
  icehost verify customers --repair    # and deliver again what is wrong";

pub(super) const SNAPSHOTS: &str = "\
Examples:
  icehost snapshots customers
  icehost snapshots --warehouse lake --lake-table shop.customers";

pub(super) const WATERMARK: &str = "\
Examples:
  icehost watermark show customers
  icehost watermark set customers --mark ModifiedDate=timestamp:2026-01-31T00:00:00";

pub(super) const PLUGIN: &str = "\
Examples:
  icehost plugin new ./everything --kind change-detector
  icehost plugin inspect timestamp";

pub(super) const COMPLETIONS: &str = "\
Examples:
  icehost completions bash > ~/.local/share/bash-completion/completions/icehost
  icehost completions zsh  > ~/.zfunc/_icehost
  icehost completions fish > ~/.config/fish/completions/icehost.fish";

pub(super) const MAN: &str = "\
Examples:
  icehost man | man -l -
  icehost man ~/.local/share/man/man1";
