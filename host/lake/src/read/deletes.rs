//! Which rows of a snapshot's data files are deleted.
//!
//! Iceberg table spec, "Scan Planning": a position delete applies to a data file of an equal or lower
//! sequence number, an equality delete to one of a lower sequence number in the same partition, or in any
//! where the delete is unpartitioned. In an equality delete NULL equals NULL.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use iceberg::spec::{DataContentType, Struct};
use icehost_plan::LakeType;
use roaring::RoaringTreemap;

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::keys::{KeyEncoder, KeyFold};
use crate::read::data_file::{Pick, Sink};
use crate::read::live_files::{LiveFile, TableFiles};
use crate::schema::{LakeColumn, from_iceberg};

/// Field id of `file_path` in position delete files (Iceberg table spec, "Reserved Field IDs").
pub(crate) const FILE_PATH_ID: i32 = 2_147_483_546;
/// Field id of `pos`.
pub(crate) const POS_ID: i32 = 2_147_483_545;
/// Rows in a batch of a delete file.
const BATCH_ROWS: usize = 8192;

/// The columns of a position delete file.
pub(crate) fn position_delete_columns() -> Vec<LakeColumn> {
    let column = |field_id, name: &str, lake_type| LakeColumn {
        field_id,
        name: name.to_owned(),
        lake_type,
        required: true,
        doc: None,
        key_position: None,
    };
    vec![
        column(FILE_PATH_ID, "file_path", LakeType::String),
        column(POS_ID, "pos", LakeType::Long),
    ]
}

/// The deletes of a snapshot, in memory: about two bytes a deleted position, and about sixty and the key's
/// size a key of an equality delete.
#[derive(Debug, Default)]
pub(crate) struct Deletes {
    /// By data file: sequence number of the delete file, and positions.
    positions: HashMap<String, Vec<(i64, RoaringTreemap)>>,
    equality: Vec<EqualityGroup>,
}

/// Equality deletes over the same columns, in the same partition.
struct EqualityGroup {
    columns: Vec<LakeColumn>,
    /// `None`: in every partition.
    partition: Option<(i32, Struct)>,
    /// Each deleted key, with the highest sequence number that deletes it.
    keys: HashMap<Box<[u8]>, i64>,
    highest: i64,
    encoder: KeyEncoder,
    /// The files that it was read from, to tell whether two snapshots have the same.
    files: Vec<(String, i64)>,
}

impl std::fmt::Debug for EqualityGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EqualityGroup")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl EqualityGroup {
    fn applies_to(&self, file: &LiveFile) -> bool {
        self.highest > file.sequence
            && match &self.partition {
                None => true,
                Some((spec, partition)) => {
                    *spec == file.spec_id && partition == file.file().partition()
                }
            }
    }
}

impl Deletes {
    /// Reads delete files. Position deletes of data files outside `wanted`, where it is given, are dropped.
    pub(crate) fn load(
        files: &TableFiles,
        deletes: &[LiveFile],
        wanted: Option<&HashSet<&str>>,
    ) -> Result<Deletes> {
        Self::load_noting(files, deletes, wanted, &mut |_, _| {})
    }

    /// The same; `note` is told of each file of position deletes that is read, by its path, and which data files it
    /// names.
    pub(crate) fn load_noting(
        files: &TableFiles,
        deletes: &[LiveFile],
        wanted: Option<&HashSet<&str>>,
        note: &mut dyn FnMut(&str, &str),
    ) -> Result<Deletes> {
        let mut loaded = Deletes::default();
        for delete in deletes {
            match delete.file().content_type() {
                DataContentType::PositionDeletes => {
                    let elsewhere = match (wanted, delete.file().referenced_data_file()) {
                        (Some(wanted), Some(path)) => !wanted.contains(path.as_str()),
                        _ => false,
                    };
                    if !elsewhere {
                        loaded.read_positions(files, delete, wanted, note)?;
                    }
                }
                DataContentType::EqualityDeletes => loaded.read_equality(files, delete)?,
                DataContentType::Data => {
                    return Err(LakeError::internal("a data file stands among delete files"));
                }
            }
        }
        Ok(loaded)
    }

    fn read_positions(
        &mut self,
        files: &TableFiles,
        delete: &LiveFile,
        wanted: Option<&HashSet<&str>>,
        note: &mut dyn FnMut(&str, &str),
    ) -> Result<()> {
        let columns = position_delete_columns();
        let mut found: HashMap<String, RoaringTreemap> = HashMap::new();
        let _all_read =
            files.read_file(delete, &columns, &Pick::All, BATCH_ROWS, &mut |batch, _| {
                let paths = batch.column(0).as_string::<i32>();
                let positions = batch.column(1).as_primitive::<Int64Type>();
                for (path, position) in paths.iter().zip(positions) {
                    let (Some(path), Some(position)) = (path, position) else {
                        continue;
                    };
                    let Ok(position) = u64::try_from(position) else {
                        return Err(LakeError::new(
                            LakeErrorKind::Corrupt,
                            format!("the delete file {} has a negative position", delete.path()),
                        ));
                    };
                    if wanted.is_some_and(|wanted| !wanted.contains(path)) {
                        continue;
                    }
                    match found.get_mut(path) {
                        Some(positions) => {
                            positions.insert(position);
                        }
                        None => {
                            found.insert(path.to_owned(), RoaringTreemap::from_iter([position]));
                        }
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
        for (path, positions) in found {
            note(delete.path(), &path);
            let entry = self.positions.entry(path).or_default();
            entry.push((delete.sequence, positions));
        }
        Ok(())
    }

    fn read_equality(&mut self, files: &TableFiles, delete: &LiveFile) -> Result<()> {
        let mut ids = delete.file().equality_ids().unwrap_or_default();
        ids.sort_unstable();
        let spec = files.metadata.partition_spec_by_id(delete.spec_id);
        let partition = match spec {
            Some(spec) if !spec.is_unpartitioned() => {
                Some((delete.spec_id, delete.file().partition().clone()))
            }
            _ => None,
        };
        let same = |group: &EqualityGroup| {
            group.partition == partition
                && group
                    .columns
                    .iter()
                    .map(|c| c.field_id)
                    .eq(ids.iter().copied())
        };
        let group = match self.equality.iter().position(same) {
            Some(at) => at,
            None => {
                let columns = equality_columns(files, delete, &ids)?;
                let types = columns.iter().map(|column| column.lake_type).collect();
                self.equality.push(EqualityGroup {
                    columns,
                    partition,
                    keys: HashMap::new(),
                    highest: delete.sequence,
                    encoder: KeyEncoder::new(types, KeyFold::default())?,
                    files: Vec::new(),
                });
                self.equality.len() - 1
            }
        };
        let Some(group) = self.equality.get_mut(group) else {
            return Ok(());
        };
        group.highest = group.highest.max(delete.sequence);
        group
            .files
            .push((delete.path().to_owned(), delete.sequence));
        let (keys, encoder) = (&mut group.keys, &group.encoder);
        let _all_read = files.read_file(
            delete,
            &group.columns,
            &Pick::All,
            BATCH_ROWS,
            &mut |batch, _| {
                let encoded = encoder.encode(batch.columns())?;
                for row in 0..batch.num_rows() {
                    let highest = keys
                        .entry(encoded.bytes(row).into())
                        .or_insert(delete.sequence);
                    *highest = delete.sequence.max(*highest);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(())
    }

    /// Positions of a data file that are deleted by position.
    pub(crate) fn positions(&self, file: &LiveFile) -> RoaringTreemap {
        let mut deleted = RoaringTreemap::new();
        for (sequence, positions) in self.positions.get(file.path()).into_iter().flatten() {
            if *sequence >= file.sequence {
                deleted |= positions;
            }
        }
        deleted
    }

    /// Whether rows may be taken out by their values.
    pub(crate) fn by_equality(&self) -> bool {
        !self.equality.is_empty()
    }

    /// The equality delete files that may take rows out of a data file.
    pub(crate) fn equality_files(&self, file: &LiveFile) -> Vec<&(String, i64)> {
        let mut files: Vec<_> = self
            .equality
            .iter()
            .filter(|group| group.applies_to(file))
            .flat_map(|group| &group.files)
            .filter(|(_, sequence)| *sequence > file.sequence)
            .collect();
        files.sort();
        files
    }

    /// Reads the rows of a data file that are not deleted.
    pub(crate) fn read_live(
        &self,
        files: &TableFiles,
        file: &LiveFile,
        columns: &[LakeColumn],
        batch_rows: usize,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let deleted = self.positions(file);
        let pick = match deleted.is_empty() {
            true => Pick::All,
            false => Pick::Except(deleted),
        };
        self.read_picked(files, file, columns, &pick, batch_rows, sink)
    }

    /// Reads picked rows of a data file, less those that an equality delete takes out.
    pub(crate) fn read_picked(
        &self,
        files: &TableFiles,
        file: &LiveFile,
        columns: &[LakeColumn],
        pick: &Pick<'_>,
        batch_rows: usize,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let groups: Vec<&EqualityGroup> = self
            .equality
            .iter()
            .filter(|group| group.applies_to(file))
            .collect();
        if groups.is_empty() {
            return files.read_file(file, columns, pick, batch_rows, sink);
        }
        let mut all = columns.to_vec();
        for group in &groups {
            all.extend(group.columns.iter().cloned());
        }
        let shape: Vec<usize> = (0..columns.len()).collect();
        files.read_file(file, &all, pick, batch_rows, &mut |batch, positions| {
            let live = live_rows(&groups, file.sequence, columns.len(), &batch)?;
            let kept: Vec<u64> = positions
                .iter()
                .zip(live.values())
                .filter_map(|(position, live)| live.then_some(*position))
                .collect();
            if kept.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            sink(filter_record_batch(&batch.project(&shape)?, &live)?, &kept)
        })
    }
}

/// Which rows no equality delete takes out. The groups' columns follow each other from `offset`.
fn live_rows(
    groups: &[&EqualityGroup],
    sequence: i64,
    offset: usize,
    batch: &RecordBatch,
) -> Result<BooleanArray> {
    let mut live = vec![true; batch.num_rows()];
    let mut at = offset;
    for group in groups {
        let end = at + group.columns.len();
        let columns = batch.columns().get(at..end).unwrap_or_default();
        let keys = group.encoder.encode(columns)?;
        for (row, live) in live.iter_mut().enumerate() {
            let deleted = group
                .keys
                .get(keys.bytes(row))
                .is_some_and(|s| *s > sequence);
            *live &= !deleted;
        }
        at = end;
    }
    Ok(BooleanArray::from(live))
}

/// The columns that an equality delete compares, in the newest schema that has them: a column may have been
/// dropped since.
fn equality_columns(files: &TableFiles, delete: &LiveFile, ids: &[i32]) -> Result<Vec<LakeColumn>> {
    if ids.is_empty() {
        return Err(LakeError::new(
            LakeErrorKind::Corrupt,
            format!(
                "the equality delete file {} names no columns",
                delete.path()
            ),
        ));
    }
    let current = files.metadata.current_schema();
    let mut schemas: Vec<_> = files.metadata.schemas_iter().collect();
    schemas.sort_by_key(|schema| std::cmp::Reverse(schema.schema_id()));
    ids.iter()
        .map(|&id| {
            let field = current
                .field_by_id(id)
                .or_else(|| schemas.iter().find_map(|schema| schema.field_by_id(id)));
            let lake_type = field.and_then(|field| from_iceberg(&field.field_type));
            match (field, lake_type) {
                (Some(field), Some(lake_type)) => Ok(LakeColumn {
                    field_id: id,
                    name: field.name.clone(),
                    lake_type,
                    required: false,
                    doc: None,
                    key_position: None,
                }),
                _ => Err(LakeError::unsupported(format!(
                    "the equality delete file {} compares field {id}, which is no column of a type that icehost carries",
                    delete.path()
                ))
                .with_hint("compact the table with the engine that writes to it")),
            }
        })
        .collect()
}

/// A snapshot's data files with its deletes.
#[derive(Debug)]
pub(crate) struct SnapshotRows {
    pub(crate) data: Vec<LiveFile>,
    pub(crate) deletes: Arc<Deletes>,
}

impl SnapshotRows {
    /// Everything that a snapshot holds; nothing for a table without one.
    pub(crate) fn load(files: &TableFiles, snapshot_id: Option<i64>) -> Result<SnapshotRows> {
        let Some(snapshot_id) = snapshot_id else {
            return Ok(SnapshotRows {
                data: Vec::new(),
                deletes: Arc::default(),
            });
        };
        let live = files.live_files(snapshot_id)?;
        Ok(SnapshotRows {
            deletes: Arc::new(Deletes::load(files, &live.deletes, None)?),
            data: live.data,
        })
    }
}
