//! Another engine: commits what icehost itself never writes, by the Iceberg library's public parts.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema as ArrowSchema};
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, MAIN_BRANCH, ManifestContentType,
    ManifestFile, ManifestList, ManifestListWriter, ManifestStatus, ManifestWriterBuilder,
    Operation, Snapshot, Summary, TableMetadata,
};
use icehost_lake::LakeTable;

/// What another engine commits.
#[derive(Default)]
pub struct Foreign {
    /// New data files.
    pub added: Vec<DataFile>,
    /// Drop every data and delete file that is there.
    pub replace_all: bool,
    /// Drop every data file that is there, and no delete file.
    pub replace_data: bool,
    /// New delete files.
    pub deletes: Vec<DataFile>,
}

/// Writes a Parquet file whose columns have these field ids.
pub fn parquet(dir: &Path, columns: &[(i32, &str, ArrayRef)]) -> (String, u64, u64) {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(id, name, values)| {
            let id = HashMap::from([("PARQUET:field_id".to_owned(), id.to_string())]);
            Field::new(*name, values.data_type().clone(), true).with_metadata(id)
        })
        .collect();
    let schema = Arc::new(ArrowSchema::new(fields));
    let values = columns
        .iter()
        .map(|(_, _, values)| Arc::clone(values))
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), values).unwrap();
    fs::create_dir_all(dir).unwrap();
    let path = dir.join(format!("foreign-{}.parquet", uuid::Uuid::new_v4()));
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    (
        path.to_str().unwrap().to_owned(),
        batch.num_rows() as u64,
        bytes,
    )
}

pub fn data_file(table: &LakeTable, columns: &[(i32, &str, ArrayRef)]) -> DataFile {
    file(table, columns, DataContentType::Data, None)
}

/// Deletes rows whose columns equal those of any row here.
pub fn equality_deletes(table: &LakeTable, columns: &[(i32, &str, ArrayRef)]) -> DataFile {
    let ids = columns.iter().map(|(id, _, _)| *id).collect();
    file(table, columns, DataContentType::EqualityDeletes, Some(ids))
}

fn file(
    table: &LakeTable,
    columns: &[(i32, &str, ArrayRef)],
    content: DataContentType,
    equality_ids: Option<Vec<i32>>,
) -> DataFile {
    let (path, rows, bytes) = parquet(&Path::new(table.location()).join("data"), columns);
    DataFileBuilder::default()
        .content(content)
        .file_path(path)
        .file_format(DataFileFormat::Parquet)
        .record_count(rows)
        .file_size_in_bytes(bytes)
        .partition_spec_id(0)
        .equality_ids(equality_ids)
        .build()
        .unwrap()
}

fn metadata_path(table: &LakeTable, version: u64) -> std::path::PathBuf {
    Path::new(table.location()).join(format!("metadata/v{version}.metadata.json"))
}

pub fn metadata(table: &LakeTable) -> TableMetadata {
    let bytes = fs::read(metadata_path(table, table.version().unwrap())).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Publishes metadata as the next version, and loads it.
pub async fn publish(table: &LakeTable, metadata: &TableMetadata) -> LakeTable {
    let next = table.version().unwrap() + 1;
    let path = metadata_path(table, next);
    assert!(!path.exists(), "the table that is changed is the newest");
    fs::write(path, serde_json::to_vec(metadata).unwrap()).unwrap();
    let mut table = table.clone();
    table.refresh().await.unwrap();
    assert_eq!(table.version(), Some(next));
    table
}

/// Commits, and gives the new snapshot's id.
pub async fn commit(table: &LakeTable, foreign: Foreign) -> (LakeTable, i64) {
    let base = metadata(table);
    let io = FileIO::new_with_fs();
    let snapshot_id = (uuid::Uuid::new_v4().as_u128() as i64) & i64::MAX;
    let sequence = base.next_sequence_number();
    let dir = Path::new(table.location()).join("metadata");
    let writer = |part: &str| {
        let path = dir.join(format!("foreign-{snapshot_id}-{part}.avro"));
        ManifestWriterBuilder::new(
            io.new_output(path.to_str().unwrap()).unwrap(),
            Some(snapshot_id),
            Arc::clone(base.current_schema()),
            base.default_partition_spec().as_ref().clone(),
        )
    };
    let mut manifests: Vec<ManifestFile> = Vec::new();
    let mut old: Vec<ManifestFile> = Vec::new();
    if let Some(parent) = base.current_snapshot() {
        let bytes = fs::read(parent.manifest_list()).unwrap();
        let list = ManifestList::parse_with_version(&bytes, base.format_version()).unwrap();
        old = list.consume_entries().into_iter().collect();
    }
    for (i, manifest) in old.into_iter().enumerate() {
        let replaced = foreign.replace_all
            || (foreign.replace_data && manifest.content == ManifestContentType::Data);
        if !replaced {
            manifests.push(manifest);
            continue;
        }
        let mut rewritten = match manifest.content {
            ManifestContentType::Data => writer(&format!("gone{i}")).build_v2_data(),
            ManifestContentType::Deletes => writer(&format!("gone{i}")).build_v2_deletes(),
        };
        let mut any = false;
        for entry in manifest.load_manifest(&io).await.unwrap().entries() {
            if entry.status != ManifestStatus::Deleted {
                let number = entry.sequence_number.unwrap();
                let file = entry.data_file.clone();
                rewritten
                    .add_delete_file(file, number, entry.file_sequence_number)
                    .unwrap();
                any = true;
            }
        }
        if any {
            manifests.push(rewritten.write_manifest_file().await.unwrap());
        }
    }
    if !foreign.added.is_empty() {
        let mut data = writer("data").build_v2_data();
        for file in &foreign.added {
            data.add_file(file.clone(), -1).unwrap();
        }
        manifests.push(data.write_manifest_file().await.unwrap());
    }
    if !foreign.deletes.is_empty() {
        let mut deletes = writer("deletes").build_v2_deletes();
        for file in &foreign.deletes {
            deletes.add_file(file.clone(), -1).unwrap();
        }
        manifests.push(deletes.write_manifest_file().await.unwrap());
    }
    let list = dir.join(format!("foreign-list-{snapshot_id}.avro"));
    let list = list.to_str().unwrap().to_owned();
    let output = io.new_output(&list).unwrap().writer().await.unwrap();
    let mut written =
        ManifestListWriter::v2(output, snapshot_id, base.current_snapshot_id(), sequence);
    written.add_manifests(manifests.into_iter()).unwrap();
    written.close().await.unwrap();
    let snapshot = Snapshot::builder()
        .with_snapshot_id(snapshot_id)
        .with_parent_snapshot_id(base.current_snapshot_id())
        .with_sequence_number(sequence)
        .with_timestamp_ms(base.last_updated_ms() + 1)
        .with_manifest_list(list)
        .with_schema_id(base.current_schema_id())
        // No totals: other engines leave them out.
        .with_summary(Summary {
            operation: if foreign.replace_all || foreign.replace_data {
                Operation::Replace
            } else {
                Operation::Overwrite
            },
            additional_properties: HashMap::new(),
        })
        .build();
    let new = base
        .into_builder(None)
        .set_branch_snapshot(snapshot, MAIN_BRANCH)
        .unwrap()
        .build()
        .unwrap()
        .metadata;
    (publish(table, &new).await, snapshot_id)
}
