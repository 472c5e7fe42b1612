//! Staged files that outlive the process: a part of a delta, written down to be committed later.

use std::collections::HashSet;

use iceberg::spec::{DataFile, FormatVersion, Schema, StructType};
use icehost_files::blocking::wait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::read::live_files::TableFiles;
use crate::row_change::RowChange;
use crate::staging::Staged;
use crate::staging::staged_files::{StagedFiles, data_dir};
use crate::storage::below;
use crate::table::LakeTable;

/// Data files of a table that no snapshot refers to yet, described so that another run can commit them.
///
/// As text it holds everything that a manifest says of them; it can be stored, or sent from the machine that
/// wrote the files to the one that commits them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptFiles {
    table: Uuid,
    schema_id: i32,
    rows_received: u64,
    files: Vec<KeptFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeptFile {
    /// Its name in the table's data directory.
    name: String,
    /// Its size, as it must be found.
    bytes: u64,
    /// The `data_file` of Iceberg's manifests, as JSON.
    data_file: serde_json::Value,
}

impl KeptFiles {
    /// Number of files.
    pub fn files(&self) -> usize {
        self.files.len()
    }
}

impl Staged {
    /// Leaves the files where they are, and gives what it takes to commit them later.
    ///
    /// # Errors
    /// [`LakeErrorKind::Unsupported`] for rows that a commit must match with others by their keys: what it
    /// would have to know is not written down.
    pub fn keep(mut self) -> Result<KeptFiles> {
        if self.keys.is_some() {
            return Err(LakeError::unsupported(
                "rows that are matched by their keys cannot be kept for a later commit",
            ));
        }
        let mut files = Vec::with_capacity(self.data_files.len());
        for file in &self.data_files {
            let name = file_name(file)?;
            let unpartitioned = StructType::new(Vec::new());
            let text = iceberg::spec::serialize_data_file_to_json(
                file.clone(),
                &unpartitioned,
                FormatVersion::V2,
            )?;
            let data_file = serde_json::from_str(&text).map_err(|e| {
                LakeError::internal(format!("cannot describe data file {name}")).with_source(e)
            })?;
            files.push(KeptFile {
                name,
                bytes: file.file_size_in_bytes(),
                data_file,
            });
        }
        self.files.keep();
        Ok(KeptFiles {
            table: self.table_uuid,
            schema_id: self.schema_id,
            rows_received: self.rows_received,
            files,
        })
    }
}

impl LakeTable {
    /// Takes up kept files for a commit, having looked that each is there in the size that it had. They stay
    /// where they are even if the commit fails.
    ///
    /// # Errors
    /// [`LakeErrorKind::Corrupt`] for a file that is missing or of another size, or a description that does
    /// not fit; [`LakeErrorKind::Conflict`] for files of another table or of other columns.
    pub async fn adopt(
        &self,
        kept: Vec<KeptFiles>,
        change: RowChange,
        vouched: bool,
    ) -> Result<Staged> {
        let table = self.clone();
        blocking(move || adopt(&table, kept, change, vouched)).await
    }

    /// Whether each kept file is there in the size that it had, and of this table as it is now.
    pub async fn has_kept(&self, kept: KeptFiles) -> bool {
        let table = self.clone();
        blocking(move || data_files(&table, &kept).map(drop))
            .await
            .is_ok()
    }

    /// Removes those of the kept files that no snapshot of this table refers to. Gives their number.
    ///
    /// # Errors
    /// Where the snapshots' manifests cannot be read, and where a file cannot be removed.
    pub async fn discard_kept(&self, kept: Vec<KeptFiles>) -> Result<usize> {
        let table = self.clone();
        blocking(move || discard(&table, &kept)).await
    }
}

fn adopt(
    table: &LakeTable,
    kept: Vec<KeptFiles>,
    change: RowChange,
    vouched: bool,
) -> Result<Staged> {
    let mut all = Vec::new();
    let mut rows_received = 0;
    for part in &kept {
        all.extend(data_files(table, part)?);
        rows_received += part.rows_received;
    }
    Ok(Staged {
        table_uuid: table.uuid(),
        schema_id: table.metadata.current_schema_id(),
        change,
        data_files: all,
        rows_received,
        rows_held: 0,
        held: None,
        keys: None,
        answers: None,
        vouched,
        // Nothing to remove: the files are their keeper's.
        files: StagedFiles::new(table),
    })
}

fn data_files(table: &LakeTable, kept: &KeptFiles) -> Result<Vec<DataFile>> {
    let schema = table.metadata.current_schema();
    if kept.table != table.uuid() || kept.schema_id != table.metadata.current_schema_id() {
        return Err(LakeError::new(
            LakeErrorKind::Conflict,
            format!(
                "files were kept for another table than {}, or for other columns",
                table.display
            ),
        ));
    }
    kept.files
        .iter()
        .map(|file| data_file(table, file, schema))
        .collect()
}

fn data_file(table: &LakeTable, kept: &KeptFile, schema: &Schema) -> Result<DataFile> {
    let path = path_of(table, kept)?;
    let found = wait(table.storage.size(&path)).map_err(|e| LakeError::io("find", &path, e))?;
    let corrupt = |why: String| {
        LakeError::new(
            LakeErrorKind::Corrupt,
            format!("kept data file {path}: {why}"),
        )
    };
    let Some(found) = found else {
        return Err(corrupt("it is gone".to_owned()));
    };
    if found != kept.bytes {
        let bytes = kept.bytes;
        return Err(corrupt(format!("it has {found} bytes instead of {bytes}")));
    }
    let unpartitioned = StructType::new(Vec::new());
    let file = iceberg::spec::deserialize_data_file_from_json(
        &kept.data_file.to_string(),
        table.metadata.default_partition_spec_id(),
        &unpartitioned,
        schema,
    )
    .map_err(|e| corrupt("its description cannot be read".to_owned()).with_source(e))?;
    if path != file.file_path() || file.file_size_in_bytes() != kept.bytes {
        return Err(corrupt(
            "its description is that of another file".to_owned(),
        ));
    }
    Ok(file)
}

fn discard(table: &LakeTable, kept: &[KeptFiles]) -> Result<usize> {
    let files = TableFiles::new(table);
    let mut referenced = HashSet::new();
    for snapshot in table.snapshots() {
        for file in files.live_files(snapshot.id)?.data {
            referenced.insert(file_name(file.file())?);
        }
    }
    let mut removed = 0;
    for file in kept.iter().flat_map(|part| &part.files) {
        if referenced.contains(&file.name) {
            continue;
        }
        let path = path_of(table, file)?;
        wait(table.storage.delete(&path)).map_err(|e| LakeError::io("remove", &path, e))?;
        removed += 1;
    }
    Ok(removed)
}

/// Where the file is; a name that leads out of the data directory is refused.
fn path_of(table: &LakeTable, kept: &KeptFile) -> Result<String> {
    let plain = !kept.name.is_empty()
        && kept.name != ".."
        && kept.name != "."
        && !kept.name.contains(['/', '\\', '\0']);
    if !plain {
        return Err(LakeError::new(
            LakeErrorKind::Corrupt,
            format!(
                "'{}' is not a data file's name",
                icehost_untrusted::shown(&kept.name)
            ),
        ));
    }
    Ok(below(&data_dir(table), &kept.name))
}

fn file_name(file: &DataFile) -> Result<String> {
    match file.file_path().rsplit(['/', '\\']).next() {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(LakeError::internal(format!(
            "a data file has no name: '{}'",
            file.file_path()
        ))),
    }
}
