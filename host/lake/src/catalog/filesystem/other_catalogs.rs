//! Metadata files that another catalog keeps in a table's directory.
//!
//! The Hadoop layout calls a version `v{N}.metadata.json`. Other catalogs keep the name of the newest version
//! themselves and call the files `{N}-{uuid}.metadata.json`, or by a UUID alone (DuckDB, whose
//! `version-hint.text` names it). A table has one catalog. Where two have written to it, either has snapshots
//! that the other does not know, and whoever commits next makes a fork of it. So such files are looked at:
//! what the layout's newest version contains is history; what is beyond it belongs to somebody else, whose
//! table is read and not written to; and where each has what the other lacks, nobody can say which is the
//! table.

use std::sync::Arc;

use iceberg::spec::TableMetadata;

use crate::catalog::TableVersion;
use crate::catalog::filesystem::metadata_files::{self, Listing, metadata_dir};
use crate::catalog::metadata_bytes::MOST_METADATA;
use crate::error::{LakeError, Result};
use crate::lineage;
use crate::location::Locator;
use crate::storage::{Storage, below, file_name};

/// Most files of another catalog that are read to find its newest.
const MOST_CANDIDATES: usize = 32;

/// A version of a table, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) version: TableVersion,
    pub(crate) metadata: TableMetadata,
}

/// The version that the files in a directory make a table of; `None` where they are none.
///
/// Must run on a thread that may block, inside a Tokio runtime.
pub(crate) fn choose(
    called: &str,
    storage: &Arc<dyn Storage>,
    directory: &str,
    listing: &Listing,
) -> Result<Option<Version>> {
    let at = |version: TableVersion| -> Result<Version> {
        let (metadata, _) = metadata_files::read(&**storage, &version.location, MOST_METADATA)?;
        Ok(Version { version, metadata })
    };
    let theirs = |name: &String| {
        let version = TableVersion {
            number: None,
            location: below(&metadata_dir(directory), name),
            state: listing.state(""),
        };
        at(version).map_err(|e| {
            LakeError::unsupported(format!("another catalog keeps lake table {called}"))
                .with_hint("icehost reads such tables where their metadata follows the Iceberg spec, and writes to tables of its own")
                .with_source(e)
        })
    };
    let contains = |newest: &TableMetadata, other: &TableMetadata| {
        let locator = Locator::new(storage, newest.location(), &directory.into());
        contains(newest, &locator, other)
    };
    let own = listing.newest.clone().map(at).transpose()?;
    if listing.foreign.is_empty() {
        return Ok(own);
    }
    let candidates = candidates(listing);
    let too_many = candidates.len() > MOST_CANDIDATES;
    let Some(own) = own else {
        return match candidates.as_slice() {
            [one] => theirs(one).map(Some),
            several => Err(ambiguous(called, several)),
        };
    };
    if too_many {
        return Err(ambiguous(called, &candidates));
    }
    let mut beyond = Vec::new();
    for name in candidates {
        let other = theirs(name)?;
        if !contains(&own.metadata, &other.metadata) {
            beyond.push((name, other));
        }
    }
    match beyond.as_slice() {
        [] => Ok(Some(own)),
        [(name, other)] if contains(&other.metadata, &own.metadata) => {
            tracing::warn!(
                table = %called,
                "another catalog keeps this table: its newest version, {name}, is read"
            );
            Ok(Some(other.clone()))
        }
        several => {
            let own = file_name(&own.version.location).to_owned();
            let others = several.iter().map(|(name, _)| (*name).clone());
            let names: Vec<String> = std::iter::once(own).chain(others).collect();
            Err(ambiguous(called, &names.iter().collect::<Vec<_>>()))
        }
    }
}

/// The files that may be another catalog's newest: the one that the hint names, else those of the highest
/// number, and those without a number.
fn candidates(listing: &Listing) -> Vec<&String> {
    let hinted = listing.odd_hint.as_deref().map(str::trim);
    let named = listing.foreign.iter().find(|name| {
        let stem = name
            .split_once(".metadata.json")
            .map_or("", |(stem, _)| stem);
        let stem = stem.strip_suffix(".gz").unwrap_or(stem);
        Some(stem) == hinted || Some(name.as_str()) == hinted
    });
    if let Some(named) = named {
        return vec![named];
    }
    let highest = listing.foreign.iter().filter_map(|name| number(name)).max();
    let newest = |name: &&String| match number(name) {
        None => true,
        some => some == highest,
    };
    listing.foreign.iter().filter(newest).collect()
}

fn number(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

/// Whether a version of a table has all that another version of it has.
fn contains(newest: &TableMetadata, files: &Locator, other: &TableMetadata) -> bool {
    let known = |snapshot: i64| {
        newest.snapshot_by_id(snapshot).is_some()
            || newest.current_snapshot_id().is_some_and(|current| {
                let line =
                    lineage::trace(newest, files, current, &|ancestor| ancestor.id == snapshot);
                line.snapshots
                    .last()
                    .is_some_and(|last| last.id == snapshot)
            })
    };
    newest.uuid() == other.uuid()
        && newest.last_updated_ms() >= other.last_updated_ms()
        && newest.last_sequence_number() >= other.last_sequence_number()
        && newest.last_column_id() >= other.last_column_id()
        && other.current_snapshot_id().is_none_or(known)
}

fn ambiguous(display: &str, names: &[&String]) -> LakeError {
    let shown: Vec<&str> = names.iter().take(3).map(|name| name.as_str()).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    LakeError::unsupported(format!(
        "nobody can say which is the newest version of lake table {display}: {}{more}",
        shown.join(", ")
    ))
    .with_hint(
        "several catalogs have written to it, or one that does not say where it stands: let one alone keep the \
         table, and move the metadata files of the others elsewhere",
    )
}
