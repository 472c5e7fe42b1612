//! Files that a snapshot needs no longer.
//!
//! A data file all of whose rows are deleted by position, and a file of position deletes all of whose data files are
//! gone, tell a reader nothing, and each costs it one more file. They leave when manifests are merged: an entry
//! leaves by a manifest that is written anew, and where each commit wrote those that name its files, it would cost
//! what the table has, not what it adds. For the same reason a manifest that is not merged is only written anew
//! where a quarter of its files leave at least.
//!
//! A data file stays as long as a delete file names it that stays: the totals of the summary would count deletes of
//! rows that are in no file.

use std::collections::{HashMap, HashSet};

use iceberg::spec::ManifestEntryRef;
use roaring::{RoaringBitmap, RoaringTreemap};

use crate::commit::effect::Positions;
use crate::read::deletes::Deletes;
use crate::read::live_files::LiveFile;
use crate::storage::file_name;

/// Of so many files one leaves at least where a manifest is written anew for that alone.
const ONE_OF: usize = 4;

/// Whether all rows of a file are deleted by position, before a commit or by it.
pub(super) fn is_dead(file: &LiveFile, before: &Deletes, now: &Positions) -> bool {
    let rows = file.file().record_count();
    let Some(last) = rows.checked_sub(1) else {
        return true;
    };
    let mut gone: RoaringTreemap = before.positions(file);
    if let Some(now) = now.get(file.path()) {
        gone |= now;
    }
    gone.rank(last) == rows
}

/// A manifest of the parent that can be written anew.
pub(super) struct Listed {
    /// It is, in any case.
    pub(super) anew: bool,
    pub(super) live: Vec<ManifestEntryRef>,
}

/// Data files by their names: engines spell directories in several ways.
#[derive(Default)]
struct Names<'a>(HashMap<&'a str, u32>);

impl<'a> Names<'a> {
    fn number(&mut self, path: &'a str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(file_name(path)).or_insert(next)
    }
}

/// The paths of files that leave, of the data files that are `dead` and of the delete files, each of which names data
/// files (`named`, by the path of the delete file). `data` are all data files that are there.
pub(super) fn leaving(
    listed: &[Listed],
    data: &[LiveFile],
    dead: &HashSet<String>,
    named: &HashMap<String, Vec<String>>,
) -> HashSet<String> {
    let mut numbers = Names::default();
    let data: Vec<(&str, u32)> = data
        .iter()
        .map(|file| (file.path(), numbers.number(file.path())))
        .collect();
    let mut names: HashMap<&str, RoaringBitmap> = HashMap::new();
    for (path, data_files) in named {
        let data_files = data_files.iter();
        let data_files = data_files.map(|data_file| numbers.number(data_file));
        names.insert(path, data_files.collect());
    }
    let can: HashSet<&str> = listed
        .iter()
        .flat_map(|manifest| &manifest.live)
        .map(|entry| entry.file_path())
        .collect();
    let dead = dead.iter().map(String::as_str);
    let mut going: HashSet<&str> = dead.filter(|path| can.contains(path)).collect();
    let deletes = names.keys().copied();
    let mut staying: HashSet<&str> = deletes.filter(|path| !can.contains(path)).collect();
    loop {
        let before = (going.len(), staying.len());
        let alive = data.iter().filter(|(path, _)| !going.contains(path));
        let alive: RoaringBitmap = alive.map(|(_, number)| *number).collect();
        let leaves = |path: &str, staying: &HashSet<&str>| {
            !staying.contains(path)
                && names
                    .get(path)
                    .is_some_and(|names| names.is_disjoint(&alive))
        };
        // What has to stay keeps the data files that it names.
        let mut kept = RoaringBitmap::new();
        for (path, names) in &names {
            if !leaves(path, &staying) {
                kept |= names;
            }
        }
        for (path, number) in &data {
            if kept.contains(*number) {
                going.remove(path);
            }
        }
        for manifest in listed.iter().filter(|manifest| !manifest.anew) {
            let paths = manifest.live.iter().map(|entry| entry.file_path());
            let some: Vec<&str> = paths
                .filter(|path| going.contains(path) || leaves(path, &staying))
                .collect();
            if !some.is_empty() && some.len() * ONE_OF < manifest.live.len() {
                for path in some {
                    going.remove(path);
                    staying.insert(path);
                }
            }
        }
        if before == (going.len(), staying.len()) {
            let deletes = names.keys().filter(|path| leaves(path, &staying));
            return deletes
                .chain(&going)
                .map(|path| (*path).to_owned())
                .collect();
        }
    }
}
