//! What a table is made of, for people who look after it.

use std::collections::HashSet;

use iceberg::spec::{DataContentType, NestedField, PartitionSpec, Schema, SortOrder};
use icehost_files::blocking::blocking;

use crate::error::{LakeError, Result};
use crate::read::live_files::{LiveFiles, TableFiles, has_live_files};
use crate::snapshot::SnapshotInfo;
use crate::table::LakeTable;

/// Files of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows; of delete files, the rows that say what is deleted.
    pub rows: u64,
}

impl Files {
    fn add(&mut self, bytes: u64, rows: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.rows = self.rows.saturating_add(rows);
    }
}

/// The files of a table's current snapshot, and what its metadata take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Data files.
    pub data: Files,
    /// Those of them that are smaller than an eighth of what the table wants files to have.
    pub small: Files,
    /// Data files of which rows are deleted, as far as the delete files' entries say whose rows they delete.
    pub with_deletes: u64,
    /// Position delete files.
    pub position_deletes: Files,
    /// Equality delete files.
    pub equality_deletes: Files,
    /// Manifests; a row of theirs is an entry that is alive.
    pub manifests: Files,
    /// What is in the metadata directory, manifests and their lists of all snapshots too.
    pub metadata: Files,
}

/// A column of any type, as the schema has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyColumn {
    /// Iceberg field id.
    pub field_id: i32,
    /// The name.
    pub name: String,
    /// The type, as the spec writes it: `decimal(10, 2)`.
    pub field_type: String,
    /// Whether NULL is not allowed.
    pub required: bool,
    /// Whether it is one of the identifier fields.
    pub identifies: bool,
    /// A comment.
    pub doc: Option<String>,
}

/// Bytes that a data file is to have, where the table says nothing (Iceberg documentation, "Configuration",
/// `write.target-file-size-bytes`).
const TARGET_FILE_SIZE: u64 = 512 << 20;

/// A file smaller than this part of that is small.
const SMALL: u64 = 8;

impl LakeTable {
    /// Iceberg's format version.
    pub fn format(&self) -> u8 {
        self.metadata.format_version() as u8
    }

    /// Where the newest metadata are; `None` for a table that is only prepared.
    pub fn metadata_location(&self) -> Option<&str> {
        Some(&self.version.as_ref()?.location)
    }

    /// All columns of the current schema, also those that icehost does not carry.
    pub fn any_columns(&self) -> Vec<AnyColumn> {
        let schema = self.metadata.current_schema();
        let identifiers: Vec<i32> = schema.identifier_field_ids().collect();
        let column = |field: &NestedField| AnyColumn {
            field_id: field.id,
            name: field.name.clone(),
            field_type: field.field_type.to_string(),
            required: field.required,
            identifies: identifiers.contains(&field.id),
            doc: field.doc.clone(),
        };
        let fields = schema.as_struct().fields().iter();
        fields.map(|field| column(field)).collect()
    }

    /// How rows are partitioned: `day(ts)` for example; nothing where they are not.
    pub fn partitioning(&self) -> Vec<String> {
        partitioning(
            self.metadata.default_partition_spec(),
            self.metadata.current_schema(),
        )
    }

    /// How rows are sorted within a file: `id asc nulls first` for example; nothing where that is not said.
    pub fn sorting(&self) -> Vec<String> {
        sorting(
            self.metadata.default_sort_order(),
            self.metadata.current_schema(),
        )
    }

    /// Counts the files of the current snapshot, by reading its manifests, and those of the metadata directory.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub async fn contents(&self) -> Result<Contents> {
        let table = self.clone();
        let mut contents = blocking(move || counted(&table)).await?;
        contents.metadata = self.metadata_files().await?;
        Ok(contents)
    }

    async fn metadata_files(&self) -> Result<Files> {
        let directory = format!("{}/metadata", self.location);
        let listed = self.storage.list(&directory).await;
        let listed = listed.map_err(|e| LakeError::io("list", &directory, e))?;
        let mut files = Files::default();
        for name in listed.files {
            let file = format!("{directory}/{name}");
            let size = self.storage.size(&file).await;
            // It may be gone since.
            if let Some(size) = size.map_err(|e| LakeError::io("look at", &file, e))? {
                files.add(size, 0);
            }
        }
        Ok(files)
    }
}

/// Must run on a thread that may block, inside a Tokio runtime.
fn counted(table: &LakeTable) -> Result<Contents> {
    let mut contents = Contents::default();
    let Some(SnapshotInfo { id, .. }) = table.current_snapshot() else {
        return Ok(contents);
    };
    let files = TableFiles::new(table);
    let mut live = LiveFiles::default();
    for manifest in files.manifests(id)? {
        let length = u64::try_from(manifest.manifest_length).unwrap_or(0);
        let alive = manifest.added_files_count.unwrap_or(0);
        let alive = alive.saturating_add(manifest.existing_files_count.unwrap_or(0));
        contents.manifests.add(length, u64::from(alive));
        if has_live_files(&manifest) {
            live.add(&manifest, files.live_entries(&manifest)?);
        }
    }
    let wanted = table
        .metadata
        .properties()
        .get("write.target-file-size-bytes");
    let wanted = wanted.and_then(|bytes| bytes.parse::<u64>().ok());
    let small = wanted.unwrap_or(TARGET_FILE_SIZE) / SMALL;
    let mut touched: HashSet<String> = HashSet::new();
    for delete in &live.deletes {
        let file = delete.file();
        let (bytes, rows) = (file.file_size_in_bytes(), file.record_count());
        match file.content_type() {
            DataContentType::EqualityDeletes => contents.equality_deletes.add(bytes, rows),
            DataContentType::PositionDeletes => contents.position_deletes.add(bytes, rows),
            DataContentType::Data => {}
        }
        touched.extend(file.referenced_data_file());
    }
    for data in &live.data {
        let (bytes, rows) = (data.file().file_size_in_bytes(), data.file().record_count());
        contents.data.add(bytes, rows);
        if bytes < small {
            contents.small.add(bytes, rows);
        }
        if touched.contains(data.path()) {
            contents.with_deletes += 1;
        }
    }
    Ok(contents)
}

fn partitioning(spec: &PartitionSpec, schema: &Schema) -> Vec<String> {
    let fields = spec.fields().iter();
    fields
        .map(|field| format!("{}({})", field.transform, named(field.source_id, schema)))
        .collect()
}

fn sorting(order: &SortOrder, schema: &Schema) -> Vec<String> {
    let fields = order.fields.iter();
    fields
        .map(|field| {
            let column = named(field.source_id, schema);
            let by = match field.transform.to_string().as_str() {
                "identity" => column,
                transform => format!("{transform}({column})"),
            };
            format!("{by} {} {}", field.direction, field.null_order)
        })
        .collect()
}

fn named(id: i32, schema: &Schema) -> String {
    let name = schema.name_by_field_id(id);
    name.map_or_else(|| format!("field {id}"), str::to_owned)
}
