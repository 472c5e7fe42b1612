//! Another engine at work on the lake: it compacts, forgets snapshots and goes back to earlier ones, by the
//! Iceberg library's public parts and none of ours.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, MAIN_BRANCH, ManifestContentType,
    ManifestFile, ManifestList, ManifestListWriter, ManifestStatus, ManifestWriterBuilder,
    Operation, Snapshot, Summary, TableMetadata,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The newest metadata of a table in the Hadoop layout, and its version.
pub fn metadata(table: &Path) -> Option<(TableMetadata, u64)> {
    let names = fs::read_dir(table.join("metadata")).ok()?;
    let version = names
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix('v')?
                .strip_suffix(".metadata.json")?
                .parse::<u64>()
                .ok()
        })
        .max()?;
    let bytes = fs::read(path(table, version)).expect("the metadata that is listed");
    let metadata = serde_json::from_slice(&bytes).expect("sound metadata");
    Some((metadata, version))
}

fn path(table: &Path, version: u64) -> std::path::PathBuf {
    table.join(format!("metadata/v{version}.metadata.json"))
}

fn publish(table: &Path, metadata: &TableMetadata, version: u64) {
    let bytes = serde_json::to_vec(metadata).expect("metadata as JSON");
    fs::write(path(table, version), bytes).expect("write metadata");
    fs::write(
        table.join("metadata/version-hint.text"),
        version.to_string(),
    )
    .expect("write hint");
}

/// Forgets every snapshot but the current one. False where there is nothing to forget.
pub fn expire(table: &Path) -> bool {
    let Some((metadata, version)) = metadata(table) else {
        return false;
    };
    let current = metadata.current_snapshot_id();
    let old: Vec<i64> = metadata
        .snapshots()
        .map(|snapshot| snapshot.snapshot_id())
        .filter(|id| Some(*id) != current)
        .collect();
    if old.is_empty() {
        return false;
    }
    let new = metadata
        .into_builder(None)
        .remove_snapshots(&old)
        .build()
        .expect("metadata without old snapshots")
        .metadata;
    publish(table, &new, version + 1);
    true
}

/// Makes the current snapshot's parent current. False where there is none.
pub fn roll_back(table: &Path) -> bool {
    let Some((metadata, version)) = metadata(table) else {
        return false;
    };
    let parent = metadata
        .current_snapshot()
        .and_then(|current| current.parent_snapshot_id())
        .and_then(|parent| metadata.snapshot_by_id(parent));
    let Some(parent) = parent.cloned() else {
        return false;
    };
    let reference = iceberg::spec::SnapshotReference::new(
        parent.snapshot_id(),
        iceberg::spec::SnapshotRetention::branch(None, None, None),
    );
    let new = metadata
        .into_builder(None)
        .set_ref(MAIN_BRANCH, reference)
        .expect("a snapshot that is there")
        .build()
        .expect("metadata with another current snapshot")
        .metadata;
    publish(table, &new, version + 1);
    true
}

/// Writes these rows, all that are live, into one file and drops every other one. False for an empty table.
pub async fn compact(table: &Path, rows: &RecordBatch) -> bool {
    rewrite(table, &|_| true, rows).await
}

/// Writes one data file again, without some of its rows; the others stay as they are. Only for tables without
/// deletes. False where no row of it is to go.
pub async fn drop_from_file(
    table: &Path,
    number: u8,
    keep: &dyn Fn(&RecordBatch) -> RecordBatch,
) -> bool {
    let mut files = data_files(table).await;
    files.sort();
    if files.is_empty() {
        return false;
    }
    let path = files.swap_remove(usize::from(number) % files.len());
    let file = File::open(&path).expect("a data file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader
        .build()
        .expect("a reader")
        .collect::<Result<_, _>>()
        .expect("rows");
    let rows = arrow_select::concat::concat_batches(&schema, &batches).expect("one batch");
    let kept = keep(&rows);
    if kept.num_rows() == rows.num_rows() {
        return false;
    }
    rewrite(table, &|file| file.file_path() == path, &kept).await
}

/// The paths of all live data files.
async fn data_files(table: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let Some((metadata, _)) = metadata(table) else {
        return paths;
    };
    let io = FileIO::new_with_fs();
    for manifest in manifests(&metadata) {
        let manifest = manifest.load_manifest(&io).await.expect("a manifest");
        let live = manifest.entries().iter();
        let live = live.filter(|entry| entry.status != ManifestStatus::Deleted);
        paths.extend(live.map(|entry| entry.data_file.file_path().to_owned()));
    }
    paths
}

/// The manifests of the current snapshot.
fn manifests(metadata: &TableMetadata) -> Vec<ManifestFile> {
    let Some(current) = metadata.current_snapshot() else {
        return Vec::new();
    };
    let list = fs::read(current.manifest_list()).expect("the manifest list");
    let list = ManifestList::parse_with_version(&list, metadata.format_version()).expect("a list");
    list.consume_entries().into_iter().collect()
}

/// Takes some files out and adds these rows in a new one. False for an empty table.
async fn rewrite(table: &Path, goes: &dyn Fn(&DataFile) -> bool, rows: &RecordBatch) -> bool {
    let Some((base, version)) = metadata(table) else {
        return false;
    };
    let Some(parent) = base.current_snapshot().cloned() else {
        return false;
    };
    let io = FileIO::new_with_fs();
    let snapshot_id = (uuid::Uuid::new_v4().as_u128() as i64) & i64::MAX;
    let sequence = base.next_sequence_number();
    let dir = table.join("metadata");
    let writer = |part: &str| {
        let path = dir.join(format!("other-{snapshot_id}-{part}.avro"));
        ManifestWriterBuilder::new(
            io.new_output(path.to_str().expect("a path in UTF-8"))
                .expect("an output"),
            Some(snapshot_id),
            Arc::clone(base.current_schema()),
            base.default_partition_spec().as_ref().clone(),
        )
    };
    let mut written: Vec<ManifestFile> = Vec::new();
    for (i, manifest) in manifests(&base).into_iter().enumerate() {
        let mut again = match manifest.content {
            ManifestContentType::Data => writer(&format!("again{i}")).build_v2_data(),
            ManifestContentType::Deletes => writer(&format!("again{i}")).build_v2_deletes(),
        };
        let mut any = false;
        let manifest = manifest.load_manifest(&io).await.expect("a manifest");
        for entry in manifest.entries() {
            if entry.status == ManifestStatus::Deleted {
                continue;
            }
            any = true;
            let number = entry.sequence_number.expect("a sequence number");
            let of_file = entry.file_sequence_number;
            match goes(&entry.data_file) {
                true => again.add_delete_file(entry.data_file.clone(), number, of_file),
                false => {
                    let by = entry.snapshot_id.expect("the snapshot that added a file");
                    again.add_existing_file(entry.data_file.clone(), by, number, of_file)
                }
            }
            .expect("an entry");
        }
        if any {
            written.push(again.write_manifest_file().await.expect("a manifest"));
        }
    }
    if rows.num_rows() > 0 {
        let mut data = writer("data").build_v2_data();
        data.add_file(data_file(table, &base, rows), -1)
            .expect("an entry");
        written.push(data.write_manifest_file().await.expect("a manifest"));
    }
    let list = dir.join(format!("other-list-{snapshot_id}.avro"));
    let list = list.to_str().expect("a path in UTF-8").to_owned();
    let output = io.new_output(&list).expect("an output");
    let mut list_writer = ManifestListWriter::v2(
        output.writer().await.expect("a writer"),
        snapshot_id,
        Some(parent.snapshot_id()),
        sequence,
    );
    list_writer
        .add_manifests(written.into_iter())
        .expect("a list of manifests");
    list_writer.close().await.expect("a list of manifests");
    let snapshot = Snapshot::builder()
        .with_snapshot_id(snapshot_id)
        .with_parent_snapshot_id(Some(parent.snapshot_id()))
        .with_sequence_number(sequence)
        .with_timestamp_ms(base.last_updated_ms() + 1)
        .with_manifest_list(list)
        .with_schema_id(base.current_schema_id())
        .with_summary(Summary {
            operation: Operation::Replace,
            additional_properties: HashMap::new(),
        })
        .build();
    let new = base
        .into_builder(None)
        .set_branch_snapshot(snapshot, MAIN_BRANCH)
        .expect("a new snapshot")
        .build()
        .expect("metadata with a new snapshot")
        .metadata;
    publish(table, &new, version + 1);
    true
}

/// A Parquet file whose columns have the ids of the schema's.
fn data_file(table: &Path, metadata: &TableMetadata, rows: &RecordBatch) -> DataFile {
    let schema =
        iceberg::arrow::schema_to_arrow_schema(metadata.current_schema()).expect("an Arrow schema");
    let schema = Arc::new(schema);
    let columns = rows.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(values, field)| {
            arrow_cast::cast(values, field.data_type()).expect("values of the column's type")
        })
        .collect();
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let path = table.join(format!("data/other-{}.parquet", uuid::Uuid::new_v4()));
    let file = File::create(&path).expect("a file");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, schema, None).expect("a Parquet writer");
    writer.write(&rows).expect("write rows");
    writer.close().expect("close the file");
    DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(path.to_str().expect("a path in UTF-8").to_owned())
        .file_format(DataFileFormat::Parquet)
        .record_count(rows.num_rows() as u64)
        .file_size_in_bytes(fs::metadata(&path).expect("the file").len())
        .partition_spec_id(0)
        .build()
        .expect("a data file")
}
