//! The file as a whole.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use icehost_untrusted::Hint;
use toml::de::{DeTable, DeValue};

use crate::connection::Connection;
use crate::lake_place::LakePlace;
use crate::near;
use crate::problem::Findings;
use crate::repeated::Repeated;
use crate::resolve::Surroundings;
use crate::schema::{self, Key};
use crate::section::{At, Layers, Section, in_order, printable};
use crate::tenant::tenants;
use crate::{Pipeline, Problem, Registries, strategy};

/// Most bytes of a configuration file.
const MAX_FILE: u64 = 4 << 20;
/// Most pipelines of a file, those for tenants counted one by one: a few lines make as many as pipelines times tenants.
const MAX_PIPELINES: usize = 20_000;

/// The least that a file says, for those who have none.
pub const LEAST: &str = "  warehouse = \"lake\"
  [connections.shop]
  url = \"mssql://USER@HOST/DATABASE\"
  password-env = \"SHOP_PASSWORD\"
  [pipelines.customers]
  source = \"shop\"
  table = \"dbo.Customers\"
  strategy = \"timestamp\"
  merge = \"upsert\"";

/// What a configuration file describes.
#[derive(Debug, Clone)]
pub struct Config {
    pipelines: Vec<Pipeline>,
    registries: Registries,
}

impl Config {
    /// Reads a file. Relative paths in it start at its directory, or where it has none, as a shell's `<(…)`, at the
    /// working directory; `shipped` are the names of the strategies that icehost ships.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file; at least one problem.
    pub fn read(path: &Path, shipped: &[&str]) -> Result<Config, Vec<Problem>> {
        let hint = match path.symlink_metadata().is_err() {
            true => LEAST.lines().fold(
                Hint::new("name the configuration file with --config, or write one, as docs/configuration.md has it:"),
                Hint::and,
            ),
            false => "name the configuration file with --config".into(),
        };
        let unreadable = |why: String| {
            let message = format!("cannot read {}: {why}", path.display());
            vec![Problem::new(None, message).with_hint(hint.clone())]
        };
        let bytes = icehost_untrusted::read_file_or_pipe(path, MAX_FILE)
            .map_err(|e| unreadable(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let message = format!("{} is not text in UTF-8, from byte {at} on", path.display());
            vec![Problem::new(None, message).with_hint("save the file as UTF-8, which TOML wants")]
        })?;
        let directory = match has_no_place(path) {
            true => Path::new(""),
            false => path.parent().unwrap_or(Path::new("")),
        };
        Config::parse(&path.display().to_string(), &text, directory, shipped)
    }

    /// Reads the text of a file; as [`Config::read`].
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(
        file: &str,
        text: &str,
        directory: &Path,
        shipped: &[&str],
    ) -> Result<Config, Vec<Problem>> {
        let mut findings = Findings::new(file, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut repeated = Repeated::of(text);
        for error in &errors {
            let span = error.span().unwrap_or_default();
            if error.message() == Repeated::TOLD {
                repeated.tell(&mut findings, span);
                continue;
            }
            // The message alone: the error's own text quotes the line, which may hold a secret.
            let told = format!("this is not TOML: {}", error.message());
            findings.add(span.start, told, None);
        }
        if !errors.is_empty() {
            return Err(findings.into_problems());
        }
        let document = Document::read(&mut findings, document.get_ref());
        let registries = Registries::read(
            &findings,
            &document.registry,
            document.strategies.values(),
            directory,
            match has_no_place(Path::new(file)) {
                true => directory.join("icehost.lock"),
                false => Path::new(file).with_extension("lock"),
            },
        );
        let pipelines = document.pipelines(&mut findings, directory, shipped);
        match findings.is_empty() {
            true => Ok(Config {
                pipelines,
                registries,
            }),
            false => Err(findings.into_problems()),
        }
    }

    /// The pipelines, in the order of the file; one that is for tenants stands there once for each.
    pub fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }

    /// What the file says of registries.
    pub fn registries(&self) -> &Registries {
        &self.registries
    }

    /// The pipelines with these names, or all where none is named. `NAME` stands for each `NAME@TENANT` too.
    ///
    /// # Errors
    /// A name that no pipeline has.
    pub fn select(&self, names: &[String]) -> Result<Vec<Pipeline>, Problem> {
        /// What a pipeline is called, with its tenant and without.
        fn called(pipeline: &Pipeline) -> [&str; 2] {
            let name = pipeline.name.as_str();
            [name, name.split_once('@').map_or(name, |(own, _)| own)]
        }
        let there: HashSet<&str> = self.pipelines.iter().flat_map(called).collect();
        for name in names {
            if !there.contains(name.as_str()) {
                let known = self.pipelines.iter().map(|pipeline| pipeline.name.as_str());
                return Err(Problem::new(
                    None,
                    format!("there is no pipeline '{}'", printable(name)),
                )
                .with_hint(near::hint(name, known, "the file has no pipelines")));
            }
        }
        let wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
        let chosen = |pipeline: &&Pipeline| {
            names.is_empty() || called(pipeline).iter().any(|name| wanted.contains(name))
        };
        Ok(self.pipelines.iter().filter(chosen).cloned().collect())
    }
}

/// Whether a path names what was handed over to the process (`/dev/fd/63`, `/dev/stdin`), beside which nothing lies.
fn has_no_place(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// The sections of a file.
struct Document {
    defaults: Section,
    connections: BTreeMap<String, Section>,
    registry: Section,
    strategies: BTreeMap<String, Section>,
    tenants: BTreeMap<String, Section>,
    pipelines: BTreeMap<String, Section>,
}

impl Document {
    fn read(findings: &mut Findings<'_>, document: &DeTable<'_>) -> Document {
        let pipeline: Vec<&Key> = schema::PIPELINE.iter().collect();
        let mut shared = pipeline.clone();
        shared.retain(|key| !schema::PIPELINE_ONLY.contains(&key.name));
        let mut read = Document {
            defaults: Section::empty("defaults"),
            connections: BTreeMap::new(),
            registry: Section::empty("registry"),
            strategies: BTreeMap::new(),
            tenants: BTreeMap::new(),
            pipelines: BTreeMap::new(),
        };
        let mut warehouse = None;
        for (name, value) in in_order(document) {
            match name.value {
                "warehouse" => warehouse = Some(value),
                "defaults" => {
                    let name = ("defaults", name.at);
                    read.defaults =
                        Section::read(findings, "defaults", name, value.value, &shared, false);
                }
                "connections" => {
                    let keys: Vec<&Key> = schema::CONNECTION.iter().collect();
                    read.connections = sections(findings, (name, value), &keys);
                }
                "registry" => {
                    let keys: Vec<&Key> = schema::REGISTRY.iter().collect();
                    let name = ("registry", name.at);
                    read.registry =
                        Section::read(findings, "registry", name, value.value, &keys, false);
                }
                "strategies" => {
                    let keys: Vec<&Key> = schema::STRATEGY.iter().collect();
                    read.strategies = sections(findings, (name, value), &keys);
                }
                "tenants" => read.tenants = sections(findings, (name, value), &shared),
                "pipelines" => read.pipelines = sections(findings, (name, value), &pipeline),
                other => findings.hinted(
                    name.at,
                    format!("there is no key or section '{}'", printable(other)),
                    near::hint(other, schema::TOP.iter().copied(), ""),
                ),
            }
        }
        let key = schema::PIPELINE.iter().find(|key| key.name == "warehouse");
        if let (Some(key), Some(warehouse)) = (key, warehouse) {
            read.defaults.set(findings, key, warehouse, false);
        }
        read
    }

    fn pipelines(
        self,
        findings: &mut Findings<'_>,
        directory: &Path,
        shipped: &[&str],
    ) -> Vec<Pipeline> {
        for section in self.strategies.values() {
            strategy::check(findings, section, shipped);
        }
        let connections = self
            .connections
            .iter()
            .map(|(name, section)| {
                let connection = Connection::resolve(findings, section, directory);
                (name.clone(), connection)
            })
            .collect();
        let surroundings = Surroundings {
            directory,
            shipped,
            connections,
            strategies: self.strategies,
            registry: self.registry,
        };
        let mut in_order: Vec<&Section> = self.pipelines.values().collect();
        in_order.sort_by_key(|section| section.at);
        let mut pipelines = Vec::new();
        let mut lake_tables: BTreeMap<LakePlace, String> = BTreeMap::new();
        let mut counted = 0;
        for section in in_order {
            let of_tenants = tenants(findings, section, &self.tenants);
            counted += of_tenants.len();
            if counted > MAX_PIPELINES {
                findings.hinted(
                    section.at,
                    format!(
                        "the file has more than {MAX_PIPELINES} pipelines, each tenant's counted"
                    ),
                    "make several files of it",
                );
                break;
            }
            for tenant in of_tenants {
                let layers = tenant.into_iter().chain([section, &self.defaults]);
                let name = match tenant {
                    Some(tenant) => format!("{}@{}", section.name, tenant.name),
                    None => section.name.clone(),
                };
                let layers = Layers(layers.collect());
                let Some(pipeline) = surroundings.pipeline(findings, section, &layers, name) else {
                    continue;
                };
                let lake_table = LakePlace::of(&pipeline.lake.warehouse, &pipeline.lake.table);
                if let Some(other) = lake_tables.insert(lake_table, pipeline.name.clone()) {
                    findings.hinted(
                        section.at,
                        format!(
                            "pipelines {other} and {} both write lake table {}",
                            pipeline.name, pipeline.lake.table
                        ),
                        "give one of them another lake-table, or each tenant a lake-namespace",
                    );
                }
                pipelines.push(pipeline);
            }
        }
        if pipelines.is_empty() && findings.is_empty() {
            findings.hinted(
                0,
                "there is no pipeline",
                "write a section [pipelines.NAME]",
            );
        }
        pipelines
    }
}

/// The sections `[WHAT.NAME]`.
fn sections(
    findings: &mut Findings<'_>,
    (what, value): (At<&str>, At<&DeValue<'_>>),
    keys: &[&Key],
) -> BTreeMap<String, Section> {
    let mut sections = BTreeMap::new();
    let Some(table) = value.value.as_table() else {
        findings.hinted(
            value.at,
            format!("'{}' is not a table", what.value),
            format!("write a section [{}.NAME]", what.value),
        );
        return sections;
    };
    for (name, value) in in_order(table) {
        if name.value.is_empty()
            || name.value.contains(['@', ','])
            || name.value.contains(char::is_whitespace)
            || name.value.contains(icehost_untrusted::misleads)
        {
            findings.add(
                name.at,
                format!(
                    "'{}' cannot be a name: it is empty, or has '@', ',', white space or characters that are not seen",
                    printable(name.value)
                ),
                None,
            );
        }
        let title = format!("{}.{}", what.value, printable(name.value));
        let private = what.value == "connections";
        let section = Section::read(
            findings,
            &title,
            (name.value, name.at),
            value.value,
            keys,
            private,
        );
        sections.insert(name.value.to_owned(), section);
    }
    sections
}
