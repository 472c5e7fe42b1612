//! The manifests of a new snapshot, and their list.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use iceberg::spec::{
    DataContentType, DataFile, ManifestContentType, ManifestEntry, ManifestEntryRef, ManifestFile,
    ManifestListWriter, ManifestWriter, ManifestWriterBuilder,
};
use icehost_files::blocking::wait;
use uuid::Uuid;

use crate::checksum::named;
use crate::commit::effect::Positions;
use crate::commit::leaving::{self, Listed};
use crate::commit::merged::{Anew, Merging, Part, parts};
use crate::error::{LakeError, Result};
use crate::library_files::LibraryFiles;
use crate::read::deletes::Deletes;
use crate::read::live_files::{LiveFiles, TableFiles, has_live_files};
use crate::staging::staged_files::{StagedFiles, metadata_dir};
use crate::storage::below;
use crate::table::LakeTable;

/// The snapshot that manifests are written for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) base: &'a LakeTable,
    pub(super) snapshot_id: i64,
    pub(super) sequence_number: i64,
    /// Names the files of this attempt.
    pub(super) commit: Uuid,
}

/// What becomes of the parent's manifests.
pub(super) struct Plan<'a> {
    of: Of<'a>,
    files: TableFiles,
    parts: Vec<Part>,
    /// Those that nothing is added to here stay as they are: of other partition specs, or encrypted.
    others: Vec<ManifestFile>,
    /// Live entries of manifests that were read, by their paths.
    entries: HashMap<String, Vec<ManifestEntryRef>>,
    /// Files of the parent that are no part of this snapshot, by their paths.
    gone: HashMap<String, DataFile>,
}

impl<'a> Plan<'a> {
    /// For a commit of so many data files, and of position deletes or not.
    ///
    /// Must run on a thread that may block, inside a Tokio runtime, as all that follows.
    pub(super) fn new(of: Of<'a>, data: usize, deletes: bool) -> Result<Plan<'a>> {
        let base = of.base;
        let files = TableFiles::new(base);
        let kept = match base.metadata.current_snapshot_id() {
            Some(parent) => files.manifests(parent)?,
            None => Vec::new(),
        };
        let spec = base.metadata.default_partition_spec_id();
        let (ours, others): (Vec<_>, Vec<_>) = kept
            .into_iter()
            .filter(has_live_files)
            .partition(|m| m.partition_spec_id == spec && m.key_metadata.is_none());
        let (of_data, of_deletes) = ours
            .into_iter()
            .partition(|m| m.content == ManifestContentType::Data);
        let merging = Merging::of(base)?;
        let mut all = parts(ManifestContentType::Data, data as u64, of_data, merging);
        let deletes = u64::from(deletes);
        all.extend(parts(
            ManifestContentType::Deletes,
            deletes,
            of_deletes,
            merging,
        ));
        Ok(Plan {
            of,
            files,
            parts: all,
            others,
            entries: HashMap::new(),
            gone: HashMap::new(),
        })
    }

    /// Leaves out what is not needed any more, where manifests are merged and rows deleted. Gives the position
    /// deletes that are then left to be written.
    pub(super) fn leave(&mut self, deletes: &Positions) -> Result<Option<Positions>> {
        if deletes.is_empty() || !self.parts.iter().any(Part::is_merged) {
            return Ok(None);
        }
        let mut listed = Vec::new();
        let mut live = LiveFiles::default();
        for part in &self.parts {
            let (manifests, anew) = match part {
                Part::Kept(manifest) => (std::slice::from_ref(manifest), false),
                Part::Written(anew) => (anew.old.as_slice(), true),
            };
            for manifest in manifests {
                let entries = self.files.live_entries(manifest)?;
                self.entries
                    .insert(manifest.manifest_path.clone(), entries.clone());
                live.add(manifest, entries.clone());
                listed.push(Listed {
                    anew,
                    live: entries,
                });
            }
        }
        let mut entries = listed.iter().flat_map(|manifest| &manifest.live);
        if !entries.all(|entry| is_complete(entry)) {
            return Ok(None);
        }
        // What these have stays.
        for manifest in &self.others {
            live.add(manifest, self.files.live_entries(manifest)?);
        }
        let mut named: HashMap<String, Vec<String>> = HashMap::new();
        for file in &live.deletes {
            if file.file().content_type() == DataContentType::PositionDeletes {
                named.insert(file.path().to_owned(), Vec::new());
            }
        }
        let note = &mut |path: &str, data_file: &str| {
            if let Some(named) = named.get_mut(path) {
                named.push(data_file.to_owned());
            }
        };
        let before = Deletes::load_noting(&self.files, &live.deletes, None, note)?;
        let dead = live.data.iter();
        let dead = dead.filter(|file| leaving::is_dead(file, &before, deletes));
        let dead: HashSet<String> = dead.map(|file| file.path().to_owned()).collect();
        let leaving = leaving::leaving(&listed, &live.data, &dead, &named);
        self.take_out(&leaving);
        let mut left = deletes.clone();
        left.retain(|path, _| !leaving.contains(path));
        Ok(Some(left))
    }

    /// Has these files leave: a manifest that is kept and has one is written anew, together with another one that is.
    fn take_out(&mut self, leaving: &HashSet<String>) {
        for entry in self.entries.values().flatten() {
            if leaving.contains(entry.file_path()) {
                let file = entry.data_file().clone();
                self.gone.insert(entry.file_path().to_owned(), file);
            }
        }
        let has_one = |manifest: &ManifestFile| {
            let entries = self.entries.get(&manifest.manifest_path);
            let mut entries = entries.into_iter().flatten();
            entries.any(|entry| leaving.contains(entry.file_path()))
        };
        let mut parts = Vec::new();
        let mut thinned = Vec::new();
        for part in self.parts.drain(..) {
            match part {
                Part::Kept(manifest) if has_one(&manifest) => thinned.push(manifest),
                part => parts.push(part),
            }
        }
        for manifest in thinned {
            let content = manifest.content;
            let written = parts.iter_mut().find_map(|part| match part {
                Part::Written(anew) if anew.content == content => Some(anew),
                _ => None,
            });
            match written {
                Some(anew) => anew.old.push(manifest),
                None => parts.push(Part::Written(Anew {
                    content,
                    own: false,
                    old: vec![manifest],
                })),
            }
        }
        self.parts = parts;
    }

    /// The files of the parent that leave.
    pub(super) fn gone(&self) -> impl Iterator<Item = &DataFile> {
        self.gone.values()
    }

    /// Writes the manifests and the list of all. Gives the list's location.
    pub(super) fn write(
        mut self,
        data: &[DataFile],
        deletes: &[DataFile],
        staged: &mut StagedFiles,
    ) -> Result<String> {
        let mut all: Vec<(ManifestFile, Option<Bytes>)> = Vec::new();
        for part in std::mem::take(&mut self.parts) {
            match part {
                Part::Kept(manifest) => all.push((manifest, None)),
                Part::Written(anew) => {
                    let own = match (anew.own, anew.content) {
                        (false, _) => &[],
                        (true, ManifestContentType::Data) => data,
                        (true, ManifestContentType::Deletes) => deletes,
                    };
                    all.extend(self.anew(anew, own)?);
                }
            }
        }
        // Stable: what is new stands first.
        all.sort_by_key(|(_, content)| content.is_none());
        all.extend(self.others.drain(..).map(|manifest| (manifest, None)));
        self.of.publish(all, staged)
    }

    /// A manifest of the commit's own files and of the live entries of others. Where these do not say all that has
    /// to be carried over, the others stay as they are.
    fn anew(&self, anew: Anew, own: &[DataFile]) -> Result<Vec<(ManifestFile, Option<Bytes>)>> {
        let mut live: Vec<ManifestEntryRef> = Vec::new();
        for manifest in &anew.old {
            match self.entries.get(&manifest.manifest_path) {
                Some(entries) => live.extend(entries.iter().cloned()),
                None => live.extend(self.files.live_entries(manifest)?),
            }
        }
        let (mut live, mut old) = (live, anew.old);
        let mut kept = Vec::new();
        if !live.iter().all(|entry| is_complete(entry)) {
            live.clear();
            kept.extend(old.drain(..).map(|manifest| (manifest, None)));
        }
        if !own.is_empty() || !live.is_empty() {
            let (manifest, content) = self.manifest(anew.content, own, &live)?;
            kept.insert(0, (manifest, Some(content)));
        }
        Ok(kept)
    }

    /// Files that this snapshot adds, and such that are there or leave; where the manifest is comes later.
    fn manifest(
        &self,
        content: ManifestContentType,
        added: &[DataFile],
        live: &[ManifestEntryRef],
    ) -> Result<(ManifestFile, Bytes)> {
        let Of {
            base, snapshot_id, ..
        } = self.of;
        let written = LibraryFiles::default().written(async |output| {
            let builder = ManifestWriterBuilder::new(
                output,
                Some(snapshot_id),
                Arc::clone(base.metadata.current_schema()),
                base.metadata.default_partition_spec().as_ref().clone(),
            );
            let mut writer = match content {
                ManifestContentType::Data => builder.build_v2_data(),
                ManifestContentType::Deletes => builder.build_v2_deletes(),
            };
            for file in added {
                // The sequence number is the snapshot's own, which readers inherit.
                writer.add_file(file.clone(), -1)?;
            }
            for entry in live {
                carry(
                    &mut writer,
                    entry,
                    self.gone.contains_key(entry.file_path()),
                )?;
            }
            writer.write_manifest_file().await
        });
        written.map_err(|e| self.of.not_encoded("manifest", e))
    }
}

/// Whether an entry says who added its file and when, which one of another manifest must.
fn is_complete(entry: &ManifestEntry) -> bool {
    entry.snapshot_id.is_some()
        && entry.sequence_number.is_some()
        && entry.file_sequence_number.is_some()
}

/// Takes an entry over: who added the file, and when, stays with it; of one that leaves, who takes it out.
fn carry(writer: &mut ManifestWriter, entry: &ManifestEntry, leaves: bool) -> iceberg::Result<()> {
    let file = entry.data_file.clone();
    let data = entry.sequence_number.unwrap_or_default();
    match leaves {
        true => writer.add_delete_file(file, data, entry.file_sequence_number),
        false => {
            let added_by = entry.snapshot_id.unwrap_or_default();
            writer.add_existing_file(file, added_by, data, entry.file_sequence_number)
        }
    }
}

impl Of<'_> {
    /// Names and writes what is new, all at once: each file has its name from its content alone.
    fn publish(
        self,
        all: Vec<(ManifestFile, Option<Bytes>)>,
        staged: &mut StagedFiles,
    ) -> Result<String> {
        let directory = metadata_dir(self.base);
        let mut named = |stem: &str, content: &[u8]| {
            let location = below(&directory, &named::name_of(stem, content));
            staged.add(location.clone());
            location
        };
        let mut new: Vec<(String, Bytes)> = Vec::new();
        let mut manifests: Vec<ManifestFile> = Vec::new();
        for (mut manifest, content) in all {
            if let Some(content) = content {
                let stem = format!("{}-m{}", self.commit, new.len());
                manifest.manifest_path = named(&stem, &content);
                new.push((manifest.manifest_path.clone(), content));
            }
            manifests.push(manifest);
        }
        let list = self.list(manifests)?;
        let stem = format!("snap-{}-1-{}", self.snapshot_id, self.commit);
        let location = named(&stem, &list);
        new.push((location.clone(), list));
        wait(self.base.storage.write(new))
            .map_err(|e| LakeError::io("write manifests in", &directory, e))?;
        Ok(location)
    }

    fn list(self, manifests: Vec<ManifestFile>) -> Result<Bytes> {
        let written = LibraryFiles::default().written(async |output| {
            let mut list = ManifestListWriter::v2(
                output.writer().await?,
                self.snapshot_id,
                self.base.metadata.current_snapshot_id(),
                self.sequence_number,
            );
            list.add_manifests(manifests.into_iter())?;
            list.close().await
        });
        written
            .map(|((), bytes)| bytes)
            .map_err(|e| self.not_encoded("manifest list", e))
    }

    fn not_encoded(self, what: &str, error: iceberg::Error) -> LakeError {
        let table = &self.base.display;
        LakeError::internal(format!("cannot make a {what} of lake table {table}"))
            .with_source(error)
    }
}
