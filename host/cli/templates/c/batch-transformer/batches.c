#include "batches.h"

bool batch_has_offsets(batch_kind_t kind) { return kind == BATCH_TEXT || kind == BATCH_BINARY; }

// Values

static bool bit(const bytes_t *bits, size_t at) { return bits->ptr[at / 8] >> (at % 8) & 1; }

bool batch_is_null(const batch_column_t *column, size_t row) {
    return column->nulls > 0 && !bit(&column->valid, row);
}

bool batch_boolean(const batch_column_t *column, size_t row) { return bit(&column->values, row); }

int64_t batch_integer(const batch_column_t *column, size_t row) {
    const uint8_t *at = column->values.ptr + row * (size_t)column->width;
    return column->width == 8 ? get64(at) : get32(at);
}

double batch_double(const batch_column_t *column, size_t row) {
    const uint8_t *at = column->values.ptr + row * (size_t)column->width;
    return column->width == 8 ? get_double(at) : get_float(at);
}

icehost_string_t batch_bytes(const batch_column_t *column, size_t row) {
    if (!batch_has_offsets(column->kind)) {
        size_t width = (size_t)column->width;
        return (icehost_string_t){column->values.ptr + row * width, width};
    }
    const uint8_t *offset = column->offsets.ptr + 4 * row;
    int32_t from = get32(offset);
    return (icehost_string_t){column->values.ptr + from, (size_t)(get32(offset + 4) - from)};
}

// Adding rows

batch_column_t batch_column(batch_kind_t kind, icehost_string_t name, int32_t detail) {
    static const int32_t widths[] = {
        [BATCH_INT32] = 4,   [BATCH_INT64] = 8, [BATCH_FLOAT32] = 4,   [BATCH_FLOAT64] = 8,
        [BATCH_DECIMAL] = 16, [BATCH_DATE] = 4,  [BATCH_TIME] = 8,      [BATCH_TIMESTAMP] = 8,
        [BATCH_TIMESTAMP_UTC] = 8, [BATCH_FIXED] = 0,
    };
    int32_t width = kind == BATCH_FIXED ? detail : widths[kind];
    batch_column_t column = {.name = name, .kind = kind, .width = width};
    if (batch_has_offsets(kind)) bytes_add32(&column.offsets, 0);
    return column;
}

batch_column_t batch_like(const batch_column_t *column) {
    batch_column_t like = batch_column(column->kind, column->name, column->width);
    like.precision = column->precision;
    like.scale = column->scale;
    return like;
}

/// What every row has, whatever its type.
static void add_row(batch_column_t *column, bool valid) {
    bytes_add_bit(&column->valid, column->rows, valid);
    if (batch_has_offsets(column->kind)) bytes_add32(&column->offsets, (int32_t)column->values.len);
    column->rows++;
    column->nulls += !valid;
}

void batch_add_null(batch_column_t *column) {
    if (column->kind == BATCH_BOOLEAN) bytes_add_bit(&column->values, column->rows, false);
    bytes_add_zeros(&column->values, (size_t)column->width);
    add_row(column, false);
}

void batch_add_boolean(batch_column_t *column, bool value) {
    bytes_add_bit(&column->values, column->rows, value);
    add_row(column, true);
}

void batch_add_integer(batch_column_t *column, int64_t value) {
    bytes_add(&column->values, &value, (size_t)column->width);
    add_row(column, true);
}

void batch_add_double(batch_column_t *column, double value) {
    float narrow = (float)value;
    bytes_add(&column->values, column->width == 8 ? (void *)&value : &narrow, (size_t)column->width);
    add_row(column, true);
}

void batch_add_bytes(batch_column_t *column, icehost_string_t value) {
    bytes_add(&column->values, value.ptr, value.len);
    add_row(column, true);
}
