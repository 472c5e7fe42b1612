//! Which of several spellings are one key, asked of the server that compares them.
//!
//! Rows are brought together by what may be one key ([`Fold`](crate::verify::compare::fold::Fold)). Where that is spelled in several ways,
//! they are one key or several by the collation that tells the rows apart, and only a server has its tables. So it is
//! asked, and rows of several keys are compared each with those of its own key.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, UInt64Array};
use arrow_schema::ArrowError;
use arrow_select::concat::concat;
use arrow_select::take::take;
use icehost_plan::{Collation, Column, ColumnType, Length, LogicalType, SqlType};
use icehost_sqlserver::{Connection, ErrorKind, KeyColumn, NO_COLLATION, SqlServerError};

use crate::error::Doing;
use crate::verify::compare::entry::Entry;
use crate::verify::compare::rows::Read;
use crate::verify::compare::shape::{Hash, Hashed, Shape, of_both};
use crate::{Source, SyncError, Target};

/// Spellings that are asked about at a time, and the pairs that they may make.
const MOST_SPELLINGS: usize = 50_000;
const MOST_PAIRS: usize = 4_000_000;
/// The end of the name of a collation of SQL Server 2019 and newer.
const UTF8: &str = "_UTF8";

/// Who knows which keys are one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Server<'a> {
    Source(&'a Source),
    Target(&'a Target),
}

/// Who is asked, and by which rules.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) server: Server<'a>,
    /// Of the columns of the key, in its order, how they compare; `None` where each spelling is a key of its own.
    pub(crate) columns: Vec<Option<KeyColumn>>,
}

/// The keys of spellings that may be one and are not; a spelling that is not among them is of the key that it was brought
/// together by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Apart(HashMap<(Hash, Hash), Hash>);

impl Apart {
    /// The key of a row.
    pub(crate) fn key(&self, hashed: &Hashed) -> Hash {
        self.of(hashed.group, hashed.spelling)
    }

    fn of(&self, group: Hash, spelling: Hash) -> Hash {
        match self.0.is_empty() {
            true => group,
            false => self.0.get(&(group, spelling)).copied().unwrap_or(group),
        }
    }

    /// Takes in what was answered.
    pub(crate) fn extend(&mut self, told: Apart) {
        self.0.extend(told.0);
    }

    /// Forgets the spellings of all keys but these.
    pub(crate) fn retain(&mut self, kept: impl Fn(Hash) -> bool) {
        self.0.retain(|_, key| kept(*key));
    }

    /// What the keys that are picked have in common with others.
    pub(crate) fn groups(&self, picked: impl Fn(Hash) -> bool) -> Vec<Hash> {
        let keys = self.0.iter();
        let of = keys.filter_map(|((group, _), key)| picked(*key).then_some(*group));
        of.collect()
    }

    /// Puts rows of several keys apart. Those of one key stand together afterwards.
    pub(crate) fn sort(&self, entries: &mut [Entry]) {
        if self.0.is_empty() {
            return;
        }
        for entry in entries.iter_mut() {
            entry.group = self.of(entry.group, entry.spelling);
        }
        entries.sort_unstable_by_key(|entry| (entry.group, entry.row, entry.side, entry.sequence));
    }
}

/// Spellings that are asked about together: those of several groups, each with all that it has.
pub(crate) type Spellings = Vec<(Hash, Hash)>;

/// The spellings of rows that may be of one key and are spelled in several ways, as many at a time as are asked about.
/// `entries` are in the order of their groups.
///
/// # Errors
/// Says that a key is spelled in more ways than a server is asked about.
pub(crate) fn doubtful(entries: &[Entry]) -> Result<Vec<Spellings>, SyncError> {
    let mut parts: Vec<Spellings> = Vec::new();
    let mut pairs = 0;
    for rows in entries.chunk_by(|a, b| a.group == b.group) {
        let Some(first) = rows.first() else { continue };
        if rows.iter().all(|row| row.spelling == first.spelling) {
            continue;
        }
        let mut spellings: Vec<Hash> = rows.iter().map(|row| row.spelling).collect();
        spellings.sort_unstable();
        spellings.dedup();
        let more = spellings.len().saturating_mul(spellings.len());
        if more > MOST_PAIRS {
            return Err(too_many(spellings.len()));
        }
        let fits = |part: &&mut Spellings| {
            part.len() + spellings.len() <= MOST_SPELLINGS && pairs + more <= MOST_PAIRS
        };
        let spelled = spellings.iter().map(|spelling| (first.group, *spelling));
        match parts.last_mut().filter(fits) {
            Some(part) => {
                part.extend(spelled);
                pairs += more;
            }
            None => {
                parts.push(spelled.collect());
                pairs = more;
            }
        }
    }
    Ok(parts)
}

fn too_many(spellings: usize) -> SyncError {
    SyncError::schema(
        format!(
            "a key may be spelled in {spellings} ways: which of them are one only a server knows, and that is more than it \
             is asked about"
        ),
        "give the key column a binary collation, under which each spelling is a key of its own",
    )
}

/// The values of spellings that are asked about.
pub(crate) struct Spelled<'a> {
    asked: &'a Asked<'a>,
    wanted: HashSet<(Hash, Hash)>,
    /// Those that were found, and the values of each.
    found: Vec<(Hash, Hash)>,
    /// Keys that differ in a part that is compared byte by byte are not asked about together.
    blocks: Vec<i32>,
    known_blocks: HashMap<Vec<Hash>, i32>,
    values: Vec<Vec<ArrayRef>>,
    bytes: usize,
    most_bytes: usize,
}

impl<'a> Spelled<'a> {
    /// Values of at most so many bytes.
    pub(crate) fn new(asked: &'a Asked<'a>, of: &Spellings, most_bytes: usize) -> Spelled<'a> {
        Spelled {
            asked,
            wanted: of.iter().copied().collect(),
            found: Vec::new(),
            blocks: Vec::new(),
            known_blocks: HashMap::new(),
            values: Vec::new(),
            bytes: 0,
            most_bytes,
        }
    }

    /// Looks for them among rows.
    ///
    /// # Errors
    /// They take more memory than there is.
    pub(crate) fn see(
        &mut self,
        shape: &Shape,
        read: &Read,
        hashed: &[Hashed],
    ) -> Result<(), SyncError> {
        let mut picked = Vec::new();
        for (row, hashed) in hashed.iter().enumerate() {
            let spelled = (hashed.group, hashed.spelling);
            if !self.wanted.remove(&spelled) {
                continue;
            }
            let values = shape.values(&read.arrays, row).map_err(defect)?;
            let exact = shape.key.iter().zip(&self.asked.columns);
            let exact = exact.filter(|(_, column)| column.is_none());
            let exact = exact.filter_map(|(&at, _)| values.get(at).copied());
            let block: Vec<Hash> = [hashed.group].into_iter().chain(exact).collect();
            let next = i32::try_from(self.known_blocks.len()).unwrap_or(i32::MAX);
            self.blocks
                .push(*self.known_blocks.entry(block).or_insert(next));
            self.found.push(spelled);
            picked.push(row as u64);
        }
        if picked.is_empty() {
            return Ok(());
        }
        let picked = UInt64Array::from(picked);
        let compared = shape.key.iter().zip(&self.asked.columns);
        let compared = compared.filter(|(_, column)| column.is_some());
        let arrays = compared.filter_map(|(&at, _)| read.arrays.get(at));
        let taken = arrays.map(|array| take(array, &picked, None));
        let taken: Vec<ArrayRef> = taken.collect::<Result<_, _>>().map_err(broken)?;
        self.bytes += taken
            .iter()
            .map(|a| a.get_array_memory_size())
            .sum::<usize>();
        if self.bytes > self.most_bytes {
            return Err(SyncError::settings(
                "keys that only a server can tell apart take more memory than there is".to_owned(),
                "raise --memory-limit",
            ));
        }
        self.values.push(taken);
        Ok(())
    }

    /// Asks. Those that the server takes for one are of one key.
    ///
    /// # Errors
    /// The server could not be asked.
    pub(crate) async fn ask(self) -> Result<Apart, SyncError> {
        let columns: Vec<&KeyColumn> = self.asked.columns.iter().flatten().collect();
        let pairs = match columns.is_empty() || self.found.len() < 2 {
            true => Vec::new(),
            false => self.pairs(&columns).await?,
        };
        let mut one: Vec<usize> = (0..self.found.len()).collect();
        for (left, right) in pairs {
            let (left, right) = (
                first(&mut one, left as usize),
                first(&mut one, right as usize),
            );
            if let Some(of) = one.get_mut(left.max(right)) {
                *of = left.min(right);
            }
        }
        let mut keys_of: HashMap<Hash, HashSet<usize>> = HashMap::new();
        for (at, (group, _)) in self.found.iter().enumerate() {
            let key = first(&mut one, at);
            keys_of.entry(*group).or_default().insert(key);
        }
        let mut apart = Apart::default();
        for (at, &(group, spelling)) in self.found.iter().enumerate() {
            let several = keys_of.get(&group).is_some_and(|keys| keys.len() > 1);
            let key = self.found.get(first(&mut one, at));
            if let (true, Some((_, key))) = (several, key) {
                apart.0.insert((group, spelling), of_both(group, *key));
            }
        }
        Ok(apart)
    }

    async fn pairs(&self, columns: &[&KeyColumn]) -> Result<Vec<(u32, u32)>, SyncError> {
        let doing = || "asking which keys are one".to_owned();
        let mut values: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(self.blocks.clone()))];
        for at in 0..columns.len() {
            let parts = self.values.iter().filter_map(|columns| columns.get(at));
            let parts: Vec<&dyn Array> = parts.map(AsRef::as_ref).collect();
            values.push(concat(&parts).map_err(broken)?);
        }
        let as_they_are = columns.iter().map(|&column| column.clone()).collect();
        let without = columns.iter().map(|column| without_encoding(column));
        let mut ways: Vec<Vec<KeyColumn>> = vec![as_they_are, without.collect()];
        ways.reverse();
        while let Some(way) = ways.pop() {
            let block = KeyColumn {
                sql_type: SqlType::Int,
                collation: None,
            };
            let key: Vec<KeyColumn> = [block].into_iter().chain(way).collect();
            let mut connection = self.asked.server.connect().await?;
            match connection.same_keys(&key, &values, &values).await {
                Ok(pairs) => return Ok(pairs),
                Err(error) if !ways.is_empty() && another_way(&error) => {}
                // As a run has it: each spelling is a key of its own.
                Err(error) if error.number() == Some(NO_COLLATION) => return Ok(Vec::new()),
                Err(error) => return Err(error).doing(doing),
            }
        }
        Ok(Vec::new())
    }
}

/// The server does not know a collation, or a value is none of the code page.
fn another_way(error: &SqlServerError) -> bool {
    error.number() == Some(NO_COLLATION) || matches!(error.kind(), ErrorKind::Data { .. })
}

/// As Unicode; a collation without its encoding, which older servers do not have: how text compares does not hang on it
/// (T-SQL reference, "Collation and Unicode support").
fn without_encoding(column: &KeyColumn) -> KeyColumn {
    let Some(collation) = &column.collation else {
        return column.clone();
    };
    let end = collation.len().saturating_sub(UTF8.len());
    let encoded = collation.to_ascii_uppercase().ends_with(UTF8);
    KeyColumn {
        sql_type: SqlType::NVarChar(Length::Max),
        collation: match (encoded, collation.get(..end)) {
            (true, Some(kept)) => Some(kept.to_owned()),
            _ => Some(collation.clone()),
        },
    }
}

/// The first of those that are one with it.
fn first(one: &mut [usize], of: usize) -> usize {
    let mut at = of;
    while let Some(&next) = one.get(at)
        && next != at
    {
        at = next;
    }
    let mut along = of;
    while let Some(next) = one.get_mut(along)
        && *next != at
        && along != at
    {
        along = std::mem::replace(next, at);
    }
    at
}

impl Server<'_> {
    async fn connect(self) -> Result<Connection, SyncError> {
        let (endpoint, connect, what) = match self {
            Server::Source(source) => (&source.endpoint, &source.connect, "source"),
            Server::Target(target) => (&target.endpoint, &target.connect, "target"),
        };
        let opened = Connection::open(endpoint, connect).await;
        opened.doing(|| format!("asking the {what} which keys are one"))
    }
}

/// How a column of a key compares, where only a server knows: its values may be longer than the column's own.
pub(crate) fn compared(sql_type: SqlType, collation: Option<&Collation>) -> Option<KeyColumn> {
    let sql_type = match sql_type {
        SqlType::VarChar(Length::Max) | SqlType::NVarChar(Length::Max) => sql_type,
        SqlType::Char(_) | SqlType::VarChar(_) => SqlType::VarChar(Length::Limited(8000)),
        SqlType::NChar(_) | SqlType::NVarChar(_) => SqlType::NVarChar(Length::Limited(4000)),
        SqlType::Binary(_) | SqlType::VarBinary(_) => SqlType::VarBinary(Length::Max),
        SqlType::Bit
        | SqlType::TinyInt
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Decimal { .. }
        | SqlType::Money
        | SqlType::SmallMoney
        | SqlType::Real
        | SqlType::Float
        | SqlType::Date
        | SqlType::Time(_)
        | SqlType::DateTime
        | SqlType::SmallDateTime
        | SqlType::DateTime2(_)
        | SqlType::DateTimeOffset(_)
        | SqlType::UniqueIdentifier
        | SqlType::RowVersion => return None,
    };
    if sql_type.logical() == LogicalType::Text && collation.is_none() {
        return None;
    }
    Some(KeyColumn {
        sql_type,
        collation: collation.map(|collation| collation.name().to_owned()),
    })
}

/// The same of a column of a server's table.
pub(crate) fn compared_there(column: &Column) -> Option<KeyColumn> {
    match column.column_type {
        ColumnType::Sql(sql_type) => compared(sql_type, column.collation.as_ref()),
        ColumnType::Lake(_) => None,
    }
}

fn broken(error: ArrowError) -> SyncError {
    defect(error.to_string())
}

fn defect(why: String) -> SyncError {
    SyncError::internal(why)
}
