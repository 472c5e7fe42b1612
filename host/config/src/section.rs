//! Sections, read by their schema, and layers of them.

use std::collections::BTreeMap;
use std::time::Duration;

use icehost_untrusted::{may_hold_secret, shown_up_to};
use serde_json::{Map, Value as Json};
use toml::de::{DeTable, DeValue};

use crate::near;
use crate::problem::Findings;
use crate::schema::Key;
use crate::setting::{Setting, shown};

/// A value and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) at: usize,
}

/// A table of the file, read by its schema.
pub(crate) struct Section {
    /// Its own name: `orders` of `[pipelines.orders]`.
    pub(crate) name: String,
    /// Where its name stands.
    pub(crate) at: usize,
    settings: BTreeMap<&'static str, At<Setting>>,
    /// Where the entries of settings that are tables stand.
    entries: BTreeMap<(&'static str, String), usize>,
    /// Keys whose values could not be read.
    wrong: Vec<&'static str>,
}

impl Section {
    /// A section without settings.
    pub(crate) fn empty(name: &str) -> Section {
        Section {
            name: name.to_owned(),
            at: 0,
            settings: BTreeMap::new(),
            entries: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// Reads a table; what is wrong with it goes to the findings. Of a private one no value is ever quoted:
    /// a secret may have been put in any place.
    pub(crate) fn read(
        findings: &mut Findings<'_>,
        title: &str,
        (name, at): (&str, usize),
        value: &DeValue<'_>,
        keys: &[&Key],
        private: bool,
    ) -> Section {
        let mut section = Section {
            at,
            ..Section::empty(name)
        };
        let Some(table) = value.as_table() else {
            findings.hinted(
                at,
                format!("{title} is not a table"),
                format!("write [{title}]"),
            );
            return section;
        };
        for (name, value) in in_order(table) {
            let Some(key) = keys.iter().find(|key| key.name == name.value) else {
                let known = keys.iter().map(|key| key.name);
                findings.hinted(
                    name.at,
                    format!("there is no key '{}' in [{title}]", printable(name.value)),
                    near::hint(name.value, known, ""),
                );
                continue;
            };
            section.set(findings, key, value, private);
        }
        section
    }

    /// Sets a key to a value of the file, if that is what the key takes.
    pub(crate) fn set(
        &mut self,
        findings: &mut Findings<'_>,
        key: &Key,
        At { value, at }: At<&DeValue<'_>>,
        private: bool,
    ) {
        for (entry, _) in value.as_table().map(in_order).unwrap_or_default() {
            let named = (key.name, entry.value.to_owned());
            self.entries.insert(named, entry.at);
        }
        match Setting::read(key.kind, value) {
            Ok(value) => {
                self.settings.insert(key.name, At { value, at });
            }
            Err(wanted) => {
                self.wrong.push(key.name);
                let instead = match private {
                    true => String::new(),
                    false => format!(", not {}", shown(value)),
                };
                findings.add(at, format!("'{}' {wanted}{instead}", key.name), None);
            }
        }
    }
}

/// Entries of a table, in the order of the file.
pub(crate) fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(At<&'t str>, At<&'t DeValue<'i>>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(name, value)| {
            let name = At {
                value: name.get_ref().as_ref(),
                at: name.span().start,
            };
            let value = At {
                value: value.get_ref(),
                at: value.span().start,
            };
            (name, value)
        })
        .collect();
    entries.sort_by_key(|(name, _)| name.at);
    entries
}

/// A name of the file, for messages.
pub(crate) fn printable(name: &str) -> String {
    match may_hold_secret(name) {
        true => "…".to_owned(),
        false => shown_up_to(name, 64),
    }
}

/// Sections of one schema, the one that counts most first.
pub(crate) struct Layers<'s>(pub(crate) Vec<&'s Section>);

impl<'s> Layers<'s> {
    fn get(&self, key: &str) -> Option<&'s At<Setting>> {
        self.0.iter().find_map(|section| section.settings.get(key))
    }

    /// Whether a key is there with a value that could not be read, which has been told already.
    pub(crate) fn was_wrong(&self, key: &str) -> bool {
        self.0.iter().any(|section| section.wrong.contains(&key))
    }

    /// Where a key stands, if it does.
    pub(crate) fn at(&self, key: &str) -> Option<usize> {
        self.get(key).map(|setting| setting.at)
    }

    /// Where an entry of a key that is a table stands.
    pub(crate) fn entry_at(&self, key: &'static str, entry: &str) -> Option<usize> {
        let named = (key, entry.to_owned());
        self.0
            .iter()
            .find_map(|section| section.entries.get(&named).copied())
    }

    pub(crate) fn text(&self, key: &str) -> Option<At<&'s str>> {
        match self.get(key)? {
            At {
                value: Setting::Text(text),
                at,
            } => Some(At {
                value: text,
                at: *at,
            }),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key).map(|s| &s.value), Some(Setting::Flag(true)))
    }

    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        match self.get(key)?.value {
            Setting::Count(number) => Some(number),
            _ => None,
        }
    }

    /// A count whose schema keeps it within 32 bits.
    pub(crate) fn small_count(&self, key: &str) -> Option<u32> {
        self.count(key)
            .and_then(|number| u32::try_from(number).ok())
    }

    pub(crate) fn seconds(&self, key: &str) -> Option<Duration> {
        match self.get(key)?.value {
            Setting::Seconds(time) => Some(time),
            _ => None,
        }
    }

    /// A list of names; `None` as the value stands for all.
    pub(crate) fn names(&self, key: &str) -> Option<At<Option<&'s [String]>>> {
        let setting = self.get(key)?;
        let value = match &setting.value {
            Setting::Names(names) => Some(names.as_slice()),
            Setting::All => None,
            _ => return None,
        };
        Some(At {
            value,
            at: setting.at,
        })
    }

    /// A list of names, where one is given.
    pub(crate) fn list(&self, key: &str) -> Option<Vec<String>> {
        let names = self.names(key)?.value?;
        Some(names.to_vec())
    }

    /// Options of all layers together, each from the layer that counts most.
    pub(crate) fn options(&self, key: &str) -> Map<String, Json> {
        let mut together = Map::new();
        for section in self.0.iter().rev() {
            if let Some(Setting::Options(options)) = section.settings.get(key).map(|s| &s.value) {
                together.extend(options.clone());
            }
        }
        together
    }
}
