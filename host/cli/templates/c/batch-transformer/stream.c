#include "batches.h"

#include <stdlib.h>
#include <string.h>

// A batch comes and goes as an Arrow IPC stream of a schema and one record batch
// (https://arrow.apache.org/docs/format/Columnar.html). Metadata are FlatBuffers
// (https://flatbuffers.dev/internals): Message, Schema, Field and RecordBatch of Arrow's format, whose fields are
// named by their position in the table.

/// Arrow's union of message headers.
enum { HEADER_SCHEMA = 1, HEADER_BATCH = 3 };
/// Arrow's union of types.
enum {
    ARROW_INT = 2,
    ARROW_FLOAT = 3,
    ARROW_BINARY = 4,
    ARROW_TEXT = 5,
    ARROW_BOOLEAN = 6,
    ARROW_DECIMAL = 7,
    ARROW_DATE = 8,
    ARROW_TIME = 9,
    ARROW_TIMESTAMP = 10,
    ARROW_FIXED = 15,
};
enum { MICROSECOND = 2 };

// Reading

/// Where a table's field is; NULL where it has none.
static const uint8_t *field(const uint8_t *table, int field) {
    const uint8_t *vtable = table - get32(table);
    if (4 + 2 * field >= get16(vtable)) return NULL;
    uint16_t offset = get16(vtable + 4 + 2 * field);
    return offset == 0 ? NULL : table + offset;
}

static const uint8_t *target(const uint8_t *place) { return place == NULL ? NULL : place + get32(place); }

static int32_t number(const uint8_t *table, int at, size_t size, int32_t otherwise) {
    const uint8_t *place = field(table, at);
    if (place == NULL) return otherwise;
    return size == 1 ? *place : size == 2 ? (int16_t)get16(place) : get32(place);
}

/// The header of the message there; moves on to its body.
static const uint8_t *header(const uint8_t **at, const uint8_t *end, int type) {
    if (end - *at < 12 || get32(*at) != -1) return NULL;
    const uint8_t *metadata = *at + 8;
    *at = metadata + get32(*at + 4);
    const uint8_t *message = target(metadata);
    return number(message, 1, 1, 0) == type ? target(field(message, 2)) : NULL;
}

static bool read_type(const uint8_t *from, batch_column_t *column) {
    const uint8_t *type = target(field(from, 3));
    if (type == NULL) return false;
    switch (number(from, 2, 1, 0)) {
    case ARROW_INT: column->kind = number(type, 0, 4, 0) == 64 ? BATCH_INT64 : BATCH_INT32; break;
    case ARROW_FLOAT: column->kind = number(type, 0, 2, 0) == 2 ? BATCH_FLOAT64 : BATCH_FLOAT32; break;
    case ARROW_BINARY: column->kind = BATCH_BINARY; break;
    case ARROW_TEXT: column->kind = BATCH_TEXT; break;
    case ARROW_BOOLEAN: column->kind = BATCH_BOOLEAN; break;
    case ARROW_DATE: column->kind = BATCH_DATE; break;
    case ARROW_TIME: column->kind = BATCH_TIME; break;
    case ARROW_TIMESTAMP:
        column->kind = field(type, 1) == NULL ? BATCH_TIMESTAMP : BATCH_TIMESTAMP_UTC;
        break;
    case ARROW_DECIMAL:
        column->kind = BATCH_DECIMAL;
        column->precision = number(type, 0, 4, 0);
        column->scale = number(type, 1, 4, 0);
        break;
    case ARROW_FIXED: column->kind = BATCH_FIXED; break;
    default: return false;
    }
    *column = batch_like(column);
    if (column->kind == BATCH_FIXED) column->width = number(type, 0, 4, 0);
    return true;
}

static bytes_t buffer(const uint8_t **next, const uint8_t *body) {
    bytes_t buffer = {(uint8_t *)body + get64(*next), (size_t)get64(*next + 8), 0};
    *next += 16;
    return buffer;
}

bool batch_read(const icehost_list_u8_t *stream, batch_t *batch) {
    const uint8_t *at = stream->ptr, *end = at + stream->len;
    const uint8_t *schema = header(&at, end, HEADER_SCHEMA);
    const uint8_t *record = schema == NULL ? NULL : header(&at, end, HEADER_BATCH);
    if (record == NULL) return false;
    const uint8_t *fields = target(field(schema, 1)), *rows = field(record, 0);
    batch->count = fields == NULL ? 0 : (size_t)get32(fields);
    batch->rows = rows == NULL ? 0 : (size_t)get64(rows);
    batch->columns = calloc(batch->count, sizeof *batch->columns);
    if (batch->count == 0) return true;

    const uint8_t *nodes = target(field(record, 1)), *buffers = target(field(record, 2));
    if (nodes == NULL || buffers == NULL || (size_t)get32(nodes) != batch->count) return false;
    const uint8_t *next = buffers + 4;
    for (size_t i = 0; i < batch->count; i++) {
        batch_column_t *column = &batch->columns[i];
        const uint8_t *from = fields + 4 + 4 * i;
        from += get32(from);
        if (!read_type(from, column)) return false;
        const uint8_t *name = target(field(from, 0));
        if (name != NULL) column->name = (icehost_string_t){(uint8_t *)name + 4, (size_t)get32(name)};
        column->rows = batch->rows;
        column->nulls = (size_t)get64(nodes + 4 + 16 * i + 8);
        column->valid = buffer(&next, at);
        if (batch_has_offsets(column->kind)) column->offsets = buffer(&next, at);
        column->values = buffer(&next, at);
    }
    return true;
}

// Writing

/// A field of a table that is written: so many bytes of a number; none where it is left out.
typedef struct {
    uint8_t size;
    int64_t value;
} slot_t;

/// What a field refers to is written after the table.
#define REFERENCE {4, 0}
#define NOTHING {0, 0}
#define COUNT(slots) (sizeof(slots) / sizeof *(slots))

/// Writes a table and gives its place.
static size_t add_table(bytes_t *out, const slot_t *slots, size_t count) {
    bytes_align(out, 2);
    size_t vtable = out->len, size = 4;
    bytes_add_zeros(out, 4 + 2 * count);
    for (size_t i = 0; i < count; i++) {
        if (slots[i].size == 0) continue;
        size = (size + slots[i].size - 1) & ~(size_t)(slots[i].size - 1);
        memcpy(out->ptr + vtable + 4 + 2 * i, &size, 2);
        size += slots[i].size;
    }
    size_t length = 4 + 2 * count;
    memcpy(out->ptr + vtable, &length, 2);
    memcpy(out->ptr + vtable + 2, &size, 2);
    bytes_align(out, 8);
    size_t table = out->len;
    bytes_add_zeros(out, size);
    int32_t back = (int32_t)(table - vtable);
    memcpy(out->ptr + table, &back, sizeof back);
    for (size_t i = 0; i < count; i++) {
        size_t place = get16(out->ptr + vtable + 4 + 2 * i);
        memcpy(out->ptr + table + place, &slots[i].value, slots[i].size);
    }
    return table;
}

static void refer(bytes_t *out, size_t place, size_t to) {
    int32_t offset = (int32_t)(to - place);
    memcpy(out->ptr + place, &offset, sizeof offset);
}

/// Makes a field refer to what was written after its table.
static void refer_field(bytes_t *out, size_t table, int at, size_t to) {
    refer(out, (size_t)(field(out->ptr + table, at) - out->ptr), to);
}

static size_t add_text(bytes_t *out, icehost_string_t text) {
    bytes_align(out, 4);
    size_t at = out->len;
    bytes_add32(out, (int32_t)text.len);
    bytes_add(out, text.ptr, text.len);
    bytes_add_zeros(out, 1);
    return at;
}

/// A list of references, which are set afterwards.
static size_t add_references(bytes_t *out, size_t count) {
    bytes_align(out, 4);
    size_t at = out->len;
    bytes_add32(out, (int32_t)count);
    bytes_add_zeros(out, 4 * count);
    return at;
}

static size_t add_type(bytes_t *out, const batch_column_t *column, uint8_t *type) {
    static const icehost_string_t utc = {(uint8_t *)"UTC", 3};
    int bits = 8 * column->width;
    switch (column->kind) {
    case BATCH_BOOLEAN: *type = ARROW_BOOLEAN; return add_table(out, NULL, 0);
    case BATCH_TEXT: *type = ARROW_TEXT; return add_table(out, NULL, 0);
    case BATCH_BINARY: *type = ARROW_BINARY; return add_table(out, NULL, 0);
    case BATCH_INT32:
    case BATCH_INT64: {
        *type = ARROW_INT;
        slot_t slots[] = {{4, bits}, {1, 1}};
        return add_table(out, slots, COUNT(slots));
    }
    case BATCH_FLOAT32:
    case BATCH_FLOAT64: {
        *type = ARROW_FLOAT;
        slot_t slots[] = {{2, bits == 64 ? 2 : 1}};
        return add_table(out, slots, COUNT(slots));
    }
    case BATCH_DECIMAL: {
        *type = ARROW_DECIMAL;
        slot_t slots[] = {{4, column->precision}, {4, column->scale}, {4, bits}};
        return add_table(out, slots, COUNT(slots));
    }
    case BATCH_DATE: {
        *type = ARROW_DATE;
        slot_t slots[] = {{2, 0}};
        return add_table(out, slots, COUNT(slots));
    }
    case BATCH_TIME: {
        *type = ARROW_TIME;
        slot_t slots[] = {{2, MICROSECOND}, {4, bits}};
        return add_table(out, slots, COUNT(slots));
    }
    case BATCH_TIMESTAMP: {
        *type = ARROW_TIMESTAMP;
        slot_t slots[] = {{2, MICROSECOND}};
        return add_table(out, slots, COUNT(slots));
    }
    case BATCH_TIMESTAMP_UTC: {
        *type = ARROW_TIMESTAMP;
        slot_t slots[] = {{2, MICROSECOND}, REFERENCE};
        size_t table = add_table(out, slots, COUNT(slots));
        refer_field(out, table, 1, add_text(out, utc));
        return table;
    }
    case BATCH_FIXED: {
        *type = ARROW_FIXED;
        slot_t slots[] = {{4, column->width}};
        return add_table(out, slots, COUNT(slots));
    }
    }
    abort();
}

static size_t add_field(bytes_t *out, const batch_column_t *column) {
    // Whether an output may be NULL is what `open` declared; here every column may.
    slot_t slots[] = {REFERENCE, {1, 1}, {1, 0}, REFERENCE, NOTHING, REFERENCE};
    size_t table = add_table(out, slots, COUNT(slots));
    refer_field(out, table, 0, add_text(out, column->name));
    uint8_t type;
    refer_field(out, table, 3, add_type(out, column, &type));
    out->ptr[field(out->ptr + table, 2) - out->ptr] = type;
    refer_field(out, table, 5, add_references(out, 0));
    return table;
}

/// Begins a message and gives the place of its header, a table of these slots.
static size_t begin(bytes_t *metadata, int type, int64_t body, const slot_t *slots, size_t count) {
    bytes_add_zeros(metadata, 4);
    // Version 5 of the metadata.
    slot_t message[] = {{2, 4}, {1, type}, REFERENCE, {8, body}};
    size_t table = add_table(metadata, message, COUNT(message));
    refer(metadata, 0, table);
    size_t header = add_table(metadata, slots, count);
    refer_field(metadata, table, 2, header);
    return header;
}

static void add_message(bytes_t *out, bytes_t *metadata, const bytes_t *body) {
    bytes_align(metadata, 8);
    bytes_add32(out, -1);
    bytes_add32(out, (int32_t)metadata->len);
    bytes_add(out, metadata->ptr, metadata->len);
    bytes_add(out, body->ptr, body->len);
}

static void add_schema(bytes_t *out, const batch_column_t *columns, size_t count) {
    bytes_t metadata = {0}, body = {0};
    slot_t slots[] = {NOTHING, REFERENCE};
    size_t header = begin(&metadata, HEADER_SCHEMA, 0, slots, COUNT(slots));
    size_t fields = add_references(&metadata, count);
    refer_field(&metadata, header, 1, fields);
    for (size_t i = 0; i < count; i++) {
        size_t to = add_field(&metadata, &columns[i]);
        refer(&metadata, fields + 4 + 4 * i, to);
    }
    add_message(out, &metadata, &body);
}

/// Pairs of 64-bit integers.
static size_t add_pairs(bytes_t *out, const bytes_t *pairs) {
    // The pairs are aligned, not the number before them.
    bytes_align(out, 8);
    bytes_add_zeros(out, 4);
    size_t at = out->len;
    bytes_add32(out, (int32_t)(pairs->len / 16));
    bytes_add(out, pairs->ptr, pairs->len);
    return at;
}

icehost_list_u8_t batch_write(const batch_column_t *columns, size_t count, size_t rows) {
    bytes_t out = {0}, nodes = {0}, buffers = {0}, body = {0}, metadata = {0};
    static const bytes_t none = {0};
    add_schema(&out, columns, count);
    for (size_t i = 0; i < count; i++) {
        const batch_column_t *column = &columns[i];
        bytes_add64(&nodes, (int64_t)column->rows);
        bytes_add64(&nodes, (int64_t)column->nulls);
        const bytes_t *parts[] = {column->nulls > 0 ? &column->valid : &none, &column->offsets, &column->values};
        for (size_t part = 0; part < COUNT(parts); part++) {
            if (parts[part] == &column->offsets && !batch_has_offsets(column->kind)) continue;
            bytes_add64(&buffers, (int64_t)body.len);
            bytes_add64(&buffers, (int64_t)parts[part]->len);
            bytes_add(&body, parts[part]->ptr, parts[part]->len);
            bytes_align(&body, 8);
        }
    }
    slot_t slots[] = {{8, (int64_t)rows}, REFERENCE, REFERENCE};
    size_t header = begin(&metadata, HEADER_BATCH, (int64_t)body.len, slots, COUNT(slots));
    refer_field(&metadata, header, 1, add_pairs(&metadata, &nodes));
    refer_field(&metadata, header, 2, add_pairs(&metadata, &buffers));
    add_message(&out, &metadata, &body);
    // The mark of the stream's end.
    bytes_add32(&out, -1);
    bytes_add32(&out, 0);
    return (icehost_list_u8_t){out.ptr, out.len};
}
