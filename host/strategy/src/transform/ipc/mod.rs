//! Batches as Arrow IPC streams (Arrow columnar format, "Serialization and interprocess communication").
//!
//! What a component returns is checked piece by piece before any of it is taken for data: what follows after
//! these checks trusts lengths and offsets.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::writer::StreamWriter;
use arrow_ipc::{Field as IpcField, Message, MessageHeader, MetadataVersion, Type};
use arrow_schema::{ArrowError, DataType, FieldRef, SchemaRef, TimeUnit};

/// No buffer is followed by so many bytes to fill it up.
const MOST_PADDING: usize = 64;

/// Precedes a message's length.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// A stream with one batch.
pub(super) fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::with_capacity(batch.get_array_memory_size() + 1024);
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

/// The one batch of a stream, which must have these columns and so many rows; or why it is not that.
pub(crate) fn decode(
    bytes: Vec<u8>,
    schema: &SchemaRef,
    rows: usize,
) -> Result<RecordBatch, String> {
    let buffer = Buffer::from_vec(bytes);
    let mut stream = Stream {
        bytes: buffer.as_slice(),
        at: 0,
    };
    let (header, _) = stream.message()?.ok_or("the stream is empty")?;
    check_schema(&header, schema)?;
    let (header, body) = stream.message()?.ok_or("the stream has no batch")?;
    let version = header.version();
    let batch = header
        .header_as_record_batch()
        .ok_or_else(|| format!("{} stands where the batch should", named(&header)))?;
    check_batch(&batch, schema, rows, body.1)?;
    if stream.message()?.is_some() || stream.at != stream.bytes.len() {
        return Err("the stream goes on after its batch".to_owned());
    }
    let body = buffer.slice_with_length(body.0, body.1);
    read_record_batch(
        &body,
        batch,
        Arc::clone(schema),
        &HashMap::new(),
        None,
        &version,
    )
    .map_err(|error| error.to_string())
}

struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Offset and length of a message's body.
type Body = (usize, usize);

impl<'a> Stream<'a> {
    /// The next message; `None` at the end of the stream.
    fn message(&mut self) -> Result<Option<(Message<'a>, Body)>, String> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        if self.take(4)? != CONTINUATION {
            return Err("a message does not begin as it should".to_owned());
        }
        let length = self.take(4)?;
        let length = u32::from_le_bytes(length.try_into().map_err(|_| "a length is cut off")?);
        if length == 0 {
            return Ok(None);
        }
        let metadata = self.take(length as usize)?;
        let message = arrow_ipc::root_as_message(metadata)
            .map_err(|error| format!("a message is damaged: {error}"))?;
        if !matches!(message.version(), MetadataVersion::V4 | MetadataVersion::V5) {
            return Err("a message is of another version of the format".to_owned());
        }
        let length = usize::try_from(message.bodyLength())
            .map_err(|_| "the length of a body is no length")?;
        let start = self.at;
        self.take(length)?;
        Ok(Some((message, (start, length))))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or("the stream is cut off")?;
        self.at += length;
        Ok(taken)
    }
}

fn named(message: &Message<'_>) -> &'static str {
    match message.header_type() {
        MessageHeader::Schema => "a schema",
        MessageHeader::DictionaryBatch => "a dictionary",
        MessageHeader::RecordBatch => "a batch",
        _ => "something else",
    }
}

fn check_schema(message: &Message<'_>, wanted: &SchemaRef) -> Result<(), String> {
    let schema = message
        .header_as_schema()
        .ok_or_else(|| format!("{} stands where the schema should", named(message)))?;
    if schema.endianness() != arrow_ipc::Endianness::Little {
        return Err("it is not little-endian".to_owned());
    }
    let fields = schema.fields().ok_or("the schema has no fields")?;
    if fields.len() != wanted.fields().len() {
        return Err(format!(
            "there are {} columns, and {} were declared",
            fields.len(),
            wanted.fields().len()
        ));
    }
    for (field, wanted) in fields.iter().zip(wanted.fields()) {
        let name = field.name().unwrap_or_default();
        if name != wanted.name() {
            return Err(format!(
                "column '{name}' stands where '{}' was declared",
                wanted.name()
            ));
        }
        if field.dictionary().is_some() {
            return Err(format!(
                "column '{name}' is encoded with a dictionary; give its values as they are"
            ));
        }
        if !is(&field, wanted.data_type()) {
            return Err(format!(
                "column '{name}' is of Arrow type {}, and was declared such that it is {}",
                field.type_type().variant_name().unwrap_or("unknown"),
                wanted.data_type()
            ));
        }
    }
    Ok(())
}

/// Whether a field is of a type: one of those in which the host carries values.
fn is(field: &IpcField<'_>, wanted: &DataType) -> bool {
    use arrow_ipc::{DateUnit, Precision, TimeUnit as Unit};
    match (field.type_type(), wanted) {
        (Type::Bool, DataType::Boolean)
        | (Type::Utf8, DataType::Utf8)
        | (Type::Binary, DataType::Binary) => true,
        (Type::Int, _) => field.type_as_int().is_some_and(|int| {
            let bits = match wanted {
                DataType::Int32 => 32,
                DataType::Int64 => 64,
                _ => return false,
            };
            int.is_signed() && int.bitWidth() == bits
        }),
        (Type::FloatingPoint, _) => {
            field
                .type_as_floating_point()
                .is_some_and(|float| match wanted {
                    DataType::Float32 => float.precision() == Precision::SINGLE,
                    DataType::Float64 => float.precision() == Precision::DOUBLE,
                    _ => false,
                })
        }
        (Type::Decimal, DataType::Decimal128(precision, scale)) => {
            field.type_as_decimal().is_some_and(|decimal| {
                decimal.bitWidth() == 128
                    && decimal.precision() == i32::from(*precision)
                    && decimal.scale() == i32::from(*scale)
            })
        }
        (Type::Date, DataType::Date32) => field
            .type_as_date()
            .is_some_and(|date| date.unit() == DateUnit::DAY),
        (Type::Time, DataType::Time64(TimeUnit::Microsecond)) => field
            .type_as_time()
            .is_some_and(|time| time.unit() == Unit::MICROSECOND && time.bitWidth() == 64),
        (Type::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            field.type_as_timestamp().is_some_and(|timestamp| {
                let is_utc = |zone: &str| matches!(zone, "UTC" | "+00:00" | "Z");
                let zones = match (timestamp.timezone(), zone) {
                    (None, None) => true,
                    (Some(zone), Some(_)) => is_utc(zone),
                    _ => false,
                };
                timestamp.unit() == Unit::MICROSECOND && zones
            })
        }
        (Type::FixedSizeBinary, DataType::FixedSizeBinary(length)) => field
            .type_as_fixed_size_binary()
            .is_some_and(|fixed| fixed.byteWidth() == *length),
        _ => false,
    }
}

/// Checks what a batch says of its rows and buffers against the columns and the body.
fn check_batch(
    batch: &arrow_ipc::RecordBatch<'_>,
    schema: &SchemaRef,
    rows: usize,
    body: usize,
) -> Result<(), String> {
    if batch.compression().is_some() {
        return Err("the batch is compressed; give it as it is".to_owned());
    }
    if usize::try_from(batch.length()) != Ok(rows) {
        return Err(format!(
            "there are {} rows, and {rows} were handed over",
            batch.length()
        ));
    }
    let nodes = batch.nodes().map_or(0, |nodes| nodes.len());
    if nodes != schema.fields().len() {
        return Err(format!("the batch has {nodes} columns"));
    }
    for node in batch.nodes().iter().flatten() {
        let nulls = usize::try_from(node.null_count());
        if usize::try_from(node.length()) != Ok(rows)
            || nulls.is_ok_and(|n| n > rows)
            || nulls.is_err()
        {
            return Err("a column is not as long as the batch".to_owned());
        }
    }
    let wanted: usize = schema.fields().iter().map(buffers_of).sum();
    let buffers = batch.buffers().map_or(0, |buffers| buffers.len());
    if buffers != wanted {
        return Err(format!(
            "the batch has {buffers} buffers, and its columns need {wanted}"
        ));
    }
    check_buffers(batch, schema, rows)?;
    let mut used = 0_usize;
    for buffer in batch.buffers().iter().flatten() {
        let end = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(offset, length)| offset.checked_add(length));
        match end {
            Some(end) if end <= body => used = used.max(end),
            _ => return Err("a buffer lies outside of the batch".to_owned()),
        }
    }
    // Buffers are padded to 8 bytes, or to 64 (Arrow columnar format, "Buffer Alignment and Padding").
    if body - used >= MOST_PADDING {
        return Err(format!(
            "the batch has {} bytes behind its last buffer",
            body - used
        ));
    }
    Ok(())
}

/// How many buffers a column has: bits of validity, values, and offsets where they differ in length.
fn buffers_of(field: &FieldRef) -> usize {
    match field.data_type() {
        DataType::Utf8 | DataType::Binary => 3,
        _ => 2,
    }
}

/// Checks what Arrow's reader takes for granted of a column's buffers, and would panic at: that a column with NULLs
/// says of each row whether it has one, and that no offset is cut off.
fn check_buffers(
    batch: &arrow_ipc::RecordBatch<'_>,
    schema: &SchemaRef,
    rows: usize,
) -> Result<(), String> {
    let mut buffers = batch.buffers().into_iter().flatten();
    let mut next = || {
        let length = buffers.next().map_or(0, |buffer| buffer.length());
        usize::try_from(length).unwrap_or_default()
    };
    let nodes = batch.nodes().into_iter().flatten();
    for (field, node) in schema.fields().iter().zip(nodes) {
        let (name, bits) = (field.name(), next());
        if node.null_count() > 0 && bits < rows.div_ceil(8) {
            return Err(format!(
                "column '{name}' has NULLs and {bits} bytes to say where, for {rows} rows"
            ));
        }
        if buffers_of(field) == 3 {
            let offsets = next();
            if !offsets.is_multiple_of(size_of::<i32>()) {
                return Err(format!(
                    "column '{name}' has offsets of {offsets} bytes, which are of 4 bytes each"
                ));
            }
        }
        next();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
