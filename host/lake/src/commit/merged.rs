//! Which manifests a snapshot writes anew.
//!
//! Every commit adds a manifest of its data files and one of its delete files, and every reader reads all of them.
//! So they are merged as they are written. Manifests are packed from the oldest on into bins of a greatest size; a
//! bin of several becomes one manifest, and the youngest, which takes the commit's own files, where it has enough
//! of them: the rules of Iceberg's Java library (`ManifestMergeManager`), which count where the table has its
//! property [`MIN_COUNT`].
//!
//! Without it the youngest bin is merged by tiers: manifests become one where [`TIER`] of about the same number of
//! files are there, so that an entry is written once for each tier that it comes through. By Java's rule all of up to
//! 8 MB would be written again every so many commits, for good, and with its default of 100 each sync would read up to
//! 200 manifests. By tiers there are a dozen of each content at most times (a test counts them over 10,000 commits).

use iceberg::spec::{ManifestContentType, ManifestFile};

use crate::error::Result;
use crate::table::LakeTable;
use crate::table_property::{flag, whole_number};

/// Whether manifests are merged at all.
const ENABLED: &str = "commit.manifest-merge.enabled";
/// Manifests that a bin with the commit's own has at least where it is merged.
const MIN_COUNT: &str = "commit.manifest.min-count-to-merge";
/// Manifests of about the same number of files that become one, where the table does not say how many.
const TIER: u64 = 4;
/// Most bytes of manifests that are merged.
const TARGET_BYTES: &str = "commit.manifest.target-size-bytes";
const DEFAULT_TARGET_BYTES: u64 = 8 << 20;
/// About what a file takes in a manifest, where it is not said how many there are.
const ENTRY_BYTES: u64 = 256;

/// What a table's properties say of merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Merging {
    enabled: bool,
    /// `None`: by tiers.
    min_count: Option<u64>,
    target_bytes: u64,
}

impl Merging {
    pub(super) fn of(table: &LakeTable) -> Result<Merging> {
        let (metadata, name) = (&table.metadata, &table.display);
        let number = |property| whole_number(metadata, name, property);
        Ok(Merging {
            enabled: flag(metadata, name, ENABLED, true)?,
            min_count: number(MIN_COUNT)?,
            target_bytes: number(TARGET_BYTES)?.unwrap_or(DEFAULT_TARGET_BYTES),
        })
    }

    /// How many of a bin's manifests, the youngest first, become one with the commit's own, which has so many files.
    fn taken(self, bin: &[ManifestFile], own: u64) -> usize {
        match self.min_count {
            Some(least) if bin.len() as u64 + 1 >= least => bin.len(),
            Some(_) => 0,
            None => by_tiers(bin, own),
        }
    }
}

/// A manifest of the new snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it is.
    Kept(ManifestFile),
    /// Written anew.
    Written(Anew),
}

/// A manifest that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anew {
    pub(super) content: ManifestContentType,
    /// It has the commit's own files of that content.
    pub(super) own: bool,
    /// Manifests whose live entries it takes over.
    pub(super) old: Vec<ManifestFile>,
}

/// The manifests of one content, the youngest first: the commit's own, if it has files, and then the parent's as far
/// as they are of the partition spec that the commit writes.
pub(super) fn parts(
    content: ManifestContentType,
    own: u64,
    kept: Vec<ManifestFile>,
    merging: Merging,
) -> Vec<Part> {
    let written = |own, old| Part::Written(Anew { content, own, old });
    // Where nothing is added, nothing has changed since it was looked at last.
    if own == 0 {
        return kept.into_iter().map(Part::Kept).collect();
    }
    if !merging.enabled {
        let kept = kept.into_iter().map(Part::Kept);
        return std::iter::once(written(true, Vec::new()))
            .chain(kept)
            .collect();
    }
    let mut bins = bins(kept, merging.target_bytes).into_iter();
    let mut youngest = bins.next().unwrap_or_default();
    let left = youngest.split_off(merging.taken(&youngest, own));
    let mut parts = vec![written(true, youngest)];
    parts.extend(left.into_iter().map(Part::Kept));
    parts.extend(bins.map(|bin| match <[ManifestFile; 1]>::try_from(bin) {
        Ok([one]) => Part::Kept(one),
        Err(several) => written(false, several),
    }));
    parts
}

fn by_tiers(bin: &[ManifestFile], own: u64) -> usize {
    let (mut taken, mut files) = (0, own);
    loop {
        let left = bin.get(taken..).unwrap_or_default();
        let tier = files.max(1).ilog(TIER);
        let same = left.iter().map(files_of);
        let same: Vec<u64> = same
            .take_while(|files| (*files).max(1).ilog(TIER) <= tier)
            .collect();
        if (same.len() as u64) + 1 < TIER {
            return taken;
        }
        taken += same.len();
        files += same.iter().sum::<u64>();
    }
}

/// The live files of a manifest, about.
pub(super) fn files_of(manifest: &ManifestFile) -> u64 {
    match (manifest.added_files_count, manifest.existing_files_count) {
        (Some(added), Some(existing)) => u64::from(added) + u64::from(existing),
        _ => u64::try_from(manifest.manifest_length).unwrap_or(0) / ENTRY_BYTES,
    }
}

/// Packs from the end, in order, so that what is not full is the youngest bin, which comes first. It may be empty.
fn bins(manifests: Vec<ManifestFile>, most: u64) -> Vec<Vec<ManifestFile>> {
    let mut bins: Vec<Vec<ManifestFile>> = Vec::new();
    let mut bin = Vec::new();
    let mut filled = 0;
    for manifest in manifests.into_iter().rev() {
        let bytes = u64::try_from(manifest.manifest_length).unwrap_or(0);
        if filled + bytes > most && !bin.is_empty() {
            bins.push(std::mem::take(&mut bin));
            filled = 0;
        }
        filled += bytes;
        bin.push(manifest);
    }
    // One that is full takes nothing more: the commit's own begins another one.
    if filled >= most {
        bins.push(std::mem::take(&mut bin));
    }
    bins.push(bin);
    for bin in &mut bins {
        bin.reverse();
    }
    bins.reverse();
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: u32, bytes: i64) -> ManifestFile {
        ManifestFile {
            manifest_path: String::new(),
            manifest_length: bytes,
            partition_spec_id: 0,
            content: ManifestContentType::Data,
            sequence_number: 1,
            min_sequence_number: 1,
            added_snapshot_id: 1,
            added_files_count: Some(files),
            existing_files_count: Some(0),
            deleted_files_count: Some(0),
            added_rows_count: Some(0),
            existing_rows_count: Some(0),
            deleted_rows_count: Some(0),
            partitions: None,
            key_metadata: None,
            first_row_id: None,
        }
    }

    const JAVA: Merging = Merging {
        enabled: true,
        min_count: Some(4),
        target_bytes: 100,
    };

    /// The parts of manifests of these sizes, the youngest first: `k` is kept, a list of sizes is written.
    fn shown(own: u64, sizes: &[i64], merging: Merging) -> String {
        let kept = sizes.iter().map(|&bytes| manifest(1, bytes)).collect();
        let size = |one: &ManifestFile| one.manifest_length.to_string();
        let parts = parts(ManifestContentType::Data, own, kept, merging);
        let parts = parts.iter().map(|part| match part {
            Part::Kept(one) => format!("k{}", size(one)),
            Part::Written(anew) => {
                let own = anew.own.then(|| "own".to_owned());
                let all: Vec<String> = own.into_iter().chain(anew.old.iter().map(size)).collect();
                format!("[{}]", all.join("+"))
            }
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_youngest_bin_waits_until_it_has_enough() {
        assert_eq!(shown(1, &[], JAVA), "[own]");
        assert_eq!(shown(1, &[1, 2], JAVA), "[own] k1 k2");
        assert_eq!(shown(1, &[1, 2, 3], JAVA), "[own+1+2+3]");
        assert_eq!(shown(0, &[1, 2, 3], JAVA), "k1 k2 k3");
        let never = Merging {
            enabled: false,
            ..JAVA
        };
        assert_eq!(shown(1, &[1, 2, 3, 4], never), "[own] k1 k2 k3 k4");
        let always = Merging {
            min_count: Some(0),
            ..JAVA
        };
        assert_eq!(shown(1, &[], always), "[own]");
        assert_eq!(shown(1, &[1], always), "[own+1]");
    }

    #[test]
    fn older_bins_are_full_and_merged_once() {
        assert_eq!(
            shown(1, &[1, 60, 30, 80], JAVA),
            "[own+1+60+30] k80",
            "packed from the end"
        );
        assert_eq!(shown(1, &[50, 60, 30, 80], JAVA), "[own] k50 [60+30] k80");
        assert_eq!(shown(1, &[100], JAVA), "[own] k100");
        assert_eq!(shown(1, &[500, 1, 1, 1], JAVA), "[own] k500 [1+1+1]");
        assert_eq!(shown(1, &[1, 1, 1, 500], JAVA), "[own+1+1+1] k500");
    }

    #[test]
    fn by_tiers_there_are_few_and_each_entry_is_written_few_times() {
        let merging = Merging {
            min_count: None,
            target_bytes: 8 << 20,
            ..JAVA
        };
        let (mut kept, mut written, mut most) = (Vec::new(), 0, 0);
        for _ in 0..10_000 {
            let parts = parts(ManifestContentType::Data, 1, kept, merging);
            kept = parts
                .into_iter()
                .map(|part| match part {
                    Part::Kept(one) => one,
                    Part::Written(anew) => {
                        let files = 1 + anew.old.iter().map(files_of).sum::<u64>();
                        written += files;
                        manifest(files as u32, 300 * files as i64)
                    }
                })
                .collect();
            most = most.max(kept.len());
        }
        assert_eq!(kept.iter().map(files_of).sum::<u64>(), 10_000);
        assert!(most <= 3 * 7 + 1, "{most} manifests");
        assert!(written <= 10_000 * 7, "{written} entries");
    }

    #[test]
    fn many_files_at_once_take_the_smaller_ones_along() {
        let merging = Merging {
            min_count: None,
            target_bytes: 8 << 20,
            ..JAVA
        };
        assert_eq!(shown(1, &[1, 2], merging), "[own] k1 k2");
        assert_eq!(shown(500, &[1, 2], merging), "[own] k1 k2");
        assert_eq!(shown(500, &[1, 2, 3], merging), "[own+1+2+3]");
    }
}
