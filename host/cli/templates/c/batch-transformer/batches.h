// Batches of rows: what `apply` is given, and what it returns. It is yours to change.
#pragma once
#include "bytes.h"
#include "icehost.h"

/// The types in which icehost carries columns.
typedef enum {
    BATCH_BOOLEAN,
    /// `tinyint`, `smallint` and `int`.
    BATCH_INT32,
    /// `bigint`.
    BATCH_INT64,
    /// `real`.
    BATCH_FLOAT32,
    /// `float`.
    BATCH_FLOAT64,
    /// `decimal` and `money` (19, 4): `width` is 16, two's complement, of which `scale` digits stand behind the
    /// point.
    BATCH_DECIMAL,
    /// Days since 1970-01-01.
    BATCH_DATE,
    /// Microseconds since midnight.
    BATCH_TIME,
    /// `datetime2` and its kin: microseconds since 1970-01-01T00:00.
    BATCH_TIMESTAMP,
    /// `datetimeoffset`: microseconds since 1970-01-01T00:00Z.
    BATCH_TIMESTAMP_UTC,
    /// `char`, `nvarchar` and their kin, in UTF-8.
    BATCH_TEXT,
    /// `varbinary` and `rowversion`.
    BATCH_BINARY,
    /// Bytes of one length: a `uniqueidentifier` is 16 of them, in the order in which it is written.
    BATCH_FIXED,
} batch_kind_t;

/// Values of one type, one for each row.
typedef struct {
    icehost_string_t name;
    batch_kind_t kind;
    /// Of decimals.
    int32_t precision, scale;
    /// Bytes of a value; 0 for booleans, texts and binaries.
    int32_t width;
    size_t rows, nulls;
    /// As in Arrow: a bit for each row, where each value ends, and the values.
    bytes_t valid, offsets, values;
} batch_column_t;

/// The columns of a batch, in the order in which `open` named them.
typedef struct {
    batch_column_t *columns;
    size_t count, rows;
} batch_t;

/// Reads what `apply` is given, without a copy of the values. False where it is no batch.
bool batch_read(const icehost_list_u8_t *stream, batch_t *batch);

/// Texts and binaries have them.
bool batch_has_offsets(batch_kind_t kind);
bool batch_is_null(const batch_column_t *column, size_t row);
bool batch_boolean(const batch_column_t *column, size_t row);
/// Of integers, dates, times and timestamps.
int64_t batch_integer(const batch_column_t *column, size_t row);
double batch_double(const batch_column_t *column, size_t row);
/// Of texts, binaries, decimals and bytes of one length.
icehost_string_t batch_bytes(const batch_column_t *column, size_t row);

/// A column without rows. `detail` is the width of `BATCH_FIXED`; a decimal's precision and scale are set
/// afterwards.
batch_column_t batch_column(batch_kind_t kind, icehost_string_t name, int32_t detail);
/// One of the same name and type, without rows.
batch_column_t batch_like(const batch_column_t *column);

void batch_add_null(batch_column_t *column);
void batch_add_boolean(batch_column_t *column, bool value);
void batch_add_integer(batch_column_t *column, int64_t value);
void batch_add_double(batch_column_t *column, double value);
void batch_add_bytes(batch_column_t *column, icehost_string_t value);

/// The stream of what `open` declared: its outputs, each with a value for each row.
icehost_list_u8_t batch_write(const batch_column_t *columns, size_t count, size_t rows);
