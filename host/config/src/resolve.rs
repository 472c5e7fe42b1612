//! From sections to pipelines: references, defaults and tenants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use icehost_lake::{LakeError, LakeTableName, local_directory};
use icehost_sqlserver::{TableName, TimePrecision};
use serde_json::{Map, Value as Json};

use crate::component::is_path;
use crate::near;
use crate::pipeline::{
    DEFAULT_STRATEGY_MEMORY, DEFAULT_STRATEGY_TIMEOUT, GivenOptions, KeyPlace, Places, Target,
};
use crate::problem::Findings;
use crate::section::{At, Layers, Section, printable};
use crate::strategy;
use crate::{
    Component, Connection, FirstLoad, Lake, Limits, Origin, Pipeline, Shaping, Source, Use,
    default_lake_table,
};

/// Settings of which only a server, a directory or the environment tells whether they do.
const FOUND_OUT_LATER: [&str; 9] = [
    "table",
    "warehouse",
    "watermark-dir",
    "target",
    "target-table",
    "hash-key-env",
    "hash-key-file",
    "memory-limit",
    "batch-size",
];

/// What the pipelines of a file refer to.
pub(crate) struct Surroundings<'a> {
    /// Where relative paths start.
    pub(crate) directory: &'a Path,
    /// Names of the strategies that icehost ships.
    pub(crate) shipped: &'a [&'a str],
    /// `None` for a connection that is there, but wrong.
    pub(crate) connections: BTreeMap<String, Option<Connection>>,
    pub(crate) strategies: BTreeMap<String, Section>,
    /// `[registry]`
    pub(crate) registry: Section,
}

impl Surroundings<'_> {
    /// A pipeline, for a tenant or for none; `None` where something is wrong with it.
    pub(crate) fn pipeline(
        &self,
        findings: &mut Findings<'_>,
        section: &Section,
        layers: &Layers<'_>,
        name: String,
    ) -> Option<Pipeline> {
        let reading = Reading {
            surroundings: self,
            section,
            layers,
        };
        // Each of them says what is wrong with it, so none is skipped because another one failed.
        let source = reading.connection(findings, "source", "database");
        let table = reading.table(findings, "table");
        if table.is_none() && layers.at("table").is_none() {
            reading.missing(findings, "table");
        }
        let lake_table = reading.lake_table(findings, table.as_ref());
        let warehouse = reading.required(findings, "warehouse");
        let warehouse = warehouse.and_then(|name| self.place(findings, name));
        let strategy = reading.component(findings, "strategy", "strategy-options");
        let merge = reading.component(findings, "merge", "merge-options");
        let has_lake_merge = layers.at("lake-merge").is_some();
        let lake_merge =
            has_lake_merge.then(|| reading.component(findings, "lake-merge", "lake-merge-options"));
        reading.needs(findings, "lake-merge-options", "lake-merge");
        let target = reading.target(findings, table.as_ref());
        if let (Some(_), Some(at)) = (layers.at("columns"), layers.at("exclude-columns")) {
            findings.hinted(
                at,
                "'columns' and 'exclude-columns' are both given",
                "leave one of them out",
            );
        }
        let shaping = reading.shaping(findings);
        let rules = shaping
            .as_ref()
            .map_or(&[][..], |shaping| &shaping.column_rules);
        let places = reading.places(findings, rules);
        let names = |key: &str| {
            let names = layers.names(key).and_then(|names| names.value);
            names.map(<[String]>::to_vec).unwrap_or_default()
        };
        Some(Pipeline {
            name,
            place: Some(findings.place(section.at)),
            places,
            source: Source {
                connection: source?,
                table: table?,
                name: layers.text("source-name").map(|text| text.value.to_owned()),
                columns: names("columns"),
                exclude_columns: names("exclude-columns"),
                allow_masked: names("allow-masked"),
                allow_row_filter: layers.flag("allow-row-filter"),
                time_precision: match layers.text("time-precision") {
                    Some(text) if text.value == "error" => TimePrecision::Error,
                    _ => TimePrecision::Truncate,
                },
            },
            lake: Lake {
                warehouse: warehouse?,
                table: lake_table?,
                merge: match lake_merge {
                    Some(lake_merge) => Some(lake_merge?),
                    None => None,
                },
                watermark_dir: match layers.text("watermark-dir") {
                    Some(name) => Some(self.place(findings, name)?),
                    None => None,
                },
            },
            detection: strategy?,
            merge: merge?,
            target: target?,
            shaping: shaping?,
            first_load: FirstLoad::read(layers),
            limits: Limits::read(layers),
        })
    }

    /// A directory that a path or a `file:` URL names.
    fn place(&self, findings: &mut Findings<'_>, name: At<&str>) -> Option<PathBuf> {
        match local_directory(Path::new(name.value)) {
            Ok(path) => Some(self.directory.join(path)),
            Err(error) => {
                findings.add(name.at, error.to_string(), error.hint().map(Into::into));
                None
            }
        }
    }
}

/// One pipeline while it is read.
struct Reading<'a> {
    surroundings: &'a Surroundings<'a>,
    section: &'a Section,
    layers: &'a Layers<'a>,
}

impl<'a> Reading<'a> {
    fn missing(&self, findings: &mut Findings<'_>, key: &str) {
        if !self.layers.was_wrong(key) {
            findings.hinted(
                self.section.at,
                format!("pipeline {} has no '{key}'", self.section.name),
                format!("write {key} = … there, or in [defaults]"),
            );
        }
    }

    fn required(&self, findings: &mut Findings<'_>, key: &str) -> Option<At<&'a str>> {
        let text = self.layers.text(key);
        if text.is_none() {
            self.missing(findings, key);
        }
        text
    }

    /// Where those settings stand that something may be found wrong with only when they are used.
    fn places(&self, findings: &Findings<'_>, rules: &[(String, String)]) -> Places {
        let place = |key: &&'static str| Some((*key, findings.place(self.layers.at(key)?)));
        let rule = |(column, _): &(String, String)| {
            let at = self.layers.entry_at("column-rules", column)?;
            Some((column.clone(), findings.place(at)))
        };
        Places {
            settings: FOUND_OUT_LATER.iter().filter_map(place).collect(),
            rules: rules.iter().filter_map(rule).collect(),
        }
    }

    /// `key` means nothing without the other. In the defaults it waits for pipelines that have both.
    fn needs(&self, findings: &mut Findings<'_>, key: &str, other: &str) {
        let own = Layers(vec![self.section]);
        if let (Some(at), None) = (own.at(key), self.layers.at(other)) {
            findings.hinted(
                at,
                format!("'{key}' stands without '{other}'"),
                format!("give '{other}' too, or leave it out"),
            );
        }
    }

    fn connection(
        &self,
        findings: &mut Findings<'_>,
        key: &str,
        database: &str,
    ) -> Option<Connection> {
        let name = self.required(findings, key)?;
        let connections = &self.surroundings.connections;
        let Some(connection) = connections.get(name.value) else {
            findings.hinted(
                name.at,
                // Where a URL stands instead of a name, it may hold a password.
                match name.value.contains([':', '=', '@']) {
                    true => format!("'{key}' takes the name of a connection"),
                    false => format!("there is no connection '{}'", printable(name.value)),
                },
                near::hint(
                    name.value,
                    connections.keys().map(String::as_str),
                    "write a section [connections.NAME]",
                ),
            );
            return None;
        };
        let connection = connection.clone()?;
        Some(match self.layers.text(database) {
            Some(database) => connection.with_database(database.value),
            None => connection,
        })
    }

    fn table(&self, findings: &mut Findings<'_>, key: &str) -> Option<TableName> {
        let name = self.layers.text(key)?;
        TableName::parse(name.value)
            .map_err(|e| findings.add(name.at, e.to_string(), e.hint().map(Into::into)))
            .ok()
    }

    fn lake_table(
        &self,
        findings: &mut Findings<'_>,
        table: Option<&TableName>,
    ) -> Option<LakeTableName> {
        let named = self.layers.text("lake-table");
        let namespace = self.layers.text("lake-namespace");
        let name: Result<LakeTableName, LakeError> = match named {
            Some(name) => name.value.parse(),
            None => default_lake_table(table?),
        };
        let name = name.and_then(|name| match namespace {
            Some(namespace) => LakeTableName::new(namespace.value.split('.').chain([name.name()])),
            None => Ok(name),
        });
        let at = namespace.or(named).map(|text| text.at);
        name.map_err(|error| {
            let at = at.unwrap_or(self.section.at);
            findings.add(at, error.to_string(), error.hint().map(Into::into));
        })
        .ok()
    }

    /// `None` where something is wrong, `Some(None)` where there is no target.
    fn target(
        &self,
        findings: &mut Findings<'_>,
        table: Option<&TableName>,
    ) -> Option<Option<Target>> {
        if self.layers.at("target").is_none() {
            for key in [
                "target-table",
                "target-database",
                "create-target",
                "keys-never-move",
            ] {
                self.needs(findings, key, "target");
            }
            return Some(None);
        }
        let connection = self.connection(findings, "target", "target-database");
        let table = match self.layers.at("target-table") {
            Some(_) => self.table(findings, "target-table"),
            None => table.cloned(),
        };
        Some(Some(Target {
            connection: connection?,
            table: table?,
            create: self.layers.flag("create-target"),
            keys_never_move: self.layers.flag("keys-never-move"),
        }))
    }

    /// What becomes of rows on their way to the lake.
    fn shaping(&self, findings: &mut Findings<'_>) -> Option<Shaping> {
        let layers = self.layers;
        let column_rules = layers.options("column-rules").into_iter();
        let column_rules = column_rules.filter_map(|(column, rule)| match rule.as_str() {
            Some(rule) => Some((column, rule.to_owned())),
            None => {
                findings.hinted(
                    layers
                        .entry_at("column-rules", &column)
                        .unwrap_or(self.section.at),
                    format!("the rule for column '{column}' is no text"),
                    "write null, hash, constant:VALUE or truncate:CHARACTERS in quotes",
                );
                None
            }
        });
        let column_rules = column_rules.collect();
        let directory = self.surroundings.directory;
        Some(Shaping {
            column_rules,
            hash_key: match (layers.text("hash-key-env"), layers.text("hash-key-file")) {
                (Some(name), _) => Some(KeyPlace::Environment(name.value.to_owned())),
                (None, file) => file.map(|file| KeyPlace::File(directory.join(file.value))),
            },
            transforms: self.transforms(findings)?,
        })
    }

    /// A strategy: one of the file's own, one that is shipped, or a path.
    fn component(
        &self,
        findings: &mut Findings<'_>,
        key: &str,
        options: &'static str,
    ) -> Option<Use> {
        let name = self.required(findings, key)?;
        let given = self.layers.options(options);
        let place = self.layers.at(options);
        self.used(findings, name, given, place)
    }

    /// Transformers, in their order; each has the options that stand under its name.
    fn transforms(&self, findings: &mut Findings<'_>) -> Option<Vec<Use>> {
        let names = self.layers.names("transform");
        let at = names.as_ref().map_or(self.section.at, |names| names.at);
        let names = names.and_then(|names| names.value).unwrap_or_default();
        self.needs(findings, "transform-options", "transform");
        let mut options = self.layers.options("transform-options");
        let options_at = self.layers.at("transform-options");
        let mut transforms = Vec::with_capacity(names.len());
        for name in names {
            let given = match options.remove(name) {
                None => Map::new(),
                Some(Json::Object(given)) => given,
                Some(_) => {
                    findings.hinted(
                        options_at.unwrap_or(at),
                        format!(
                            "the options of transformer '{}' are no table",
                            printable(name)
                        ),
                        format!(
                            "write transform-options = {{ {} = {{ … }} }}",
                            printable(name)
                        ),
                    );
                    continue;
                }
            };
            let name = At {
                value: name.as_str(),
                at,
            };
            transforms.push(self.used(findings, name, given, options_at));
        }
        // A tenant's options for a transformer that its pipeline lacks are a slip; the defaults' are not.
        if let (Some((name, _)), Some(at)) = (
            options.iter().next(),
            Layers(vec![self.section]).at("transform-options"),
        ) {
            findings.hinted(
                at,
                format!(
                    "'transform-options' are given for '{}', which is not in 'transform'",
                    printable(name)
                ),
                near::hint(
                    name,
                    names.iter().map(String::as_str),
                    "name it in 'transform'",
                ),
            );
        }
        transforms.into_iter().collect()
    }

    /// A component by its name, with options that count more than those of its section.
    fn used(
        &self,
        findings: &mut Findings<'_>,
        name: At<&str>,
        overruling: Map<String, Json>,
        options_at: Option<usize>,
    ) -> Option<Use> {
        let around = self.surroundings;
        let section = around.strategies.get(name.value);
        let origin = match section {
            Some(section) => strategy::origin(section, &around.registry, around.directory)?,
            None if name.value.starts_with("oci://") => {
                findings.hinted(
                    name.at,
                    format!(
                        "'{}' is a registry reference, where a strategy's name is wanted",
                        printable(name.value)
                    ),
                    "write registry = \"…\" in a section [strategies.NAME], and name that",
                );
                return None;
            }
            None if is_path(name.value) => Origin::File(around.directory.join(name.value)),
            None if around.shipped.contains(&name.value) => Origin::Shipped(name.value.to_owned()),
            None => {
                let known = around.strategies.keys().map(String::as_str);
                let known = known.chain(around.shipped.iter().copied());
                findings.hinted(
                    name.at,
                    format!("there is no strategy '{}'", printable(name.value)),
                    near::hint(name.value, known, "write a section [strategies.NAME]"),
                );
                return None;
            }
        };
        let own = Layers(section.into_iter().collect());
        let mut given = own.options("options");
        given.extend(overruling);
        Some(Use {
            component: Component {
                name: name.value.to_owned(),
                origin,
                sha256: strategy::pin(&own),
                timeout: own
                    .seconds("timeout")
                    .or(self.layers.seconds("strategy-timeout"))
                    .unwrap_or(DEFAULT_STRATEGY_TIMEOUT),
                memory: own
                    .small_count("memory")
                    .or(self.layers.small_count("strategy-memory"))
                    .unwrap_or(DEFAULT_STRATEGY_MEMORY),
                columns: own.list("columns"),
                imports: own.list("imports"),
                place: Some(findings.place(section.map_or(name.at, |section| section.at))),
            },
            options: GivenOptions::Typed(given),
            place: Some(findings.place(options_at.unwrap_or(name.at))),
        })
    }
}
