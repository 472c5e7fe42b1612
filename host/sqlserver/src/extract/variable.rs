//! Values of varying length under construction: text and bytes in one buffer, and where each ends.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, StringArray};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

/// What an Arrow array of 32-bit offsets holds.
const MOST_BYTES: usize = i32::MAX as usize;
/// Values that room is made for at first.
const VALUES: usize = 1024;

/// Collects values; each is appended to the bytes by the caller, and then ended.
pub(super) struct Variable {
    batch_bytes: usize,
    bytes: Vec<u8>,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

/// The values together do not fit an array.
pub(super) struct TooLarge;

impl Variable {
    /// For batches of about so many bytes.
    pub(super) fn new(batch_bytes: usize) -> Variable {
        Variable {
            batch_bytes,
            bytes: Vec::new(),
            ends: vec![0],
            nulls: NullBufferBuilder::new(VALUES),
        }
    }

    /// Bytes of all values.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the bytes of the next value go.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends a value.
    pub(super) fn end_value(&mut self) -> Result<(), TooLarge> {
        if self.bytes.len() > MOST_BYTES {
            return Err(TooLarge);
        }
        self.ends.push(self.bytes.len() as i32);
        self.nulls.append_non_null();
        Ok(())
    }

    /// A NULL.
    pub(super) fn append_null(&mut self) {
        self.ends.push(self.bytes.len() as i32);
        self.nulls.append_null();
    }

    fn parts(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<arrow_buffer::NullBuffer>) {
        // The next batch is about as large, unless this one held a row that is larger than a batch.
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes.reserve(bytes.len().min(self.batch_bytes));
        (
            OffsetBuffer::new(ScalarBuffer::from(ends)),
            Buffer::from_vec(bytes),
            self.nulls.finish(),
        )
    }

    /// The values as text, checked to be UTF-8 all at once.
    pub(super) fn finish_text(&mut self) -> Result<ArrayRef, ArrowError> {
        let (ends, bytes, nulls) = self.parts();
        Ok(Arc::new(StringArray::try_new(ends, bytes, nulls)?))
    }

    /// The values as bytes.
    pub(super) fn finish_binary(&mut self) -> Result<ArrayRef, ArrowError> {
        let (ends, bytes, nulls) = self.parts();
        Ok(Arc::new(BinaryArray::try_new(ends, bytes, nulls)?))
    }
}
