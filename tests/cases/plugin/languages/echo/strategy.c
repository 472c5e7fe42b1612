// Reads every column and writes it as it was, value by value.

#include "batches.h"
#include "helpers.h"
#include "memory.h"
#include <stdlib.h>

void exports_metadata_describe(exports_metadata_description_t *description) {
    description->name = literal("echo");
    description->version = literal("0.1.0");
    description->summary = literal("writes what it reads");
    description->options_schema = literal("{\"type\": \"object\", \"additionalProperties\": false}");
}

static size_t opened;

bool exports_batch_transform_open(types_table_t *table, icehost_string_t *options,
                                  exports_batch_transform_transformation_t *transformation,
                                  types_error_t *error) {
    (void)options, (void)error;
    size_t count = table->columns.len;
    transformation->inputs.ptr = calloc(count, sizeof *transformation->inputs.ptr);
    for (uint32_t id = 0; id < count; id++) transformation->inputs.ptr[id] = id;
    transformation->inputs.len = count;
    transformation->outputs.ptr = table->columns.ptr;
    transformation->outputs.len = count;
    opened = memory_mark();
    return true;
}

static void copy(batch_column_t *to, const batch_column_t *from, size_t row) {
    if (batch_is_null(from, row)) {
        batch_add_null(to);
        return;
    }
    switch (from->kind) {
    case BATCH_BOOLEAN: batch_add_boolean(to, batch_boolean(from, row)); break;
    case BATCH_FLOAT32:
    case BATCH_FLOAT64: batch_add_double(to, batch_double(from, row)); break;
    case BATCH_DECIMAL:
    case BATCH_TEXT:
    case BATCH_BINARY:
    case BATCH_FIXED: batch_add_bytes(to, batch_bytes(from, row)); break;
    default: batch_add_integer(to, batch_integer(from, row));
    }
}

bool exports_batch_transform_apply(icehost_list_u8_t *stream,
                                   exports_batch_transform_transformed_t *transformed,
                                   types_error_t *error) {
    batch_t batch;
    if (!batch_read(stream, &batch)) {
        return failure(error, TYPES_FAILURE_INTERNAL, "no-batch", literal("it cannot read the batch"));
    }
    batch_column_t *columns = calloc(batch.count, sizeof *columns);
    for (size_t i = 0; i < batch.count; i++) {
        columns[i] = batch_like(&batch.columns[i]);
        for (size_t row = 0; row < batch.rows; row++) copy(&columns[i], &batch.columns[i], row);
    }
    *transformed = (exports_batch_transform_transformed_t){0};
    transformed->columns.is_some = true;
    transformed->columns.val = batch_write(columns, batch.count, batch.rows);
    return true;
}

__attribute__((export_name("cabi_post_icehost:strategy/batch-transform@0.3.0#apply")))
void __wasm_export_exports_batch_transform_apply_post_return(uint8_t *returned) {
    (void)returned;
    memory_release(opened);
}
