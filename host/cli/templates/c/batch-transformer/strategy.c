// {{name}}: adds the domain of an e-mail address as a column of its own, and drops rows without one.
//
// The host opens an instance on a table and applies it to batch after batch of its rows, in one sandbox. It may run
// several side by side, so that none sees every row.

#include "batches.h"
#include "helpers.h"
#include "icehost.h"
#include "memory.h"
#include "options.h"
#include <stdlib.h>

static const char OPTIONS[] =
    "{\"type\": \"object\", \"properties\": {\"column\": {\"type\": \"string\", \"minLength\": 1,"
    " \"description\": \"The column that holds the address.\"}},"
    " \"required\": [\"column\"], \"additionalProperties\": false}";

void exports_metadata_describe(exports_metadata_description_t *description) {
    description->name = literal("{{name}}");
    description->version = literal("0.1.0");
    description->summary = literal("adds the domain of an e-mail address, and drops rows without one");
    description->options_schema = literal(OPTIONS);
}

/// The name of the column that is added.
static icehost_string_t output;
/// What `open` took lasts as long as the instance; what a batch took is given back after it.
static size_t opened;

/// Which columns it reads, and which it writes.
bool exports_batch_transform_open(types_table_t *table, icehost_string_t *options,
                                  exports_batch_transform_transformation_t *transformation,
                                  types_error_t *error) {
    icehost_string_t name = {NULL, 0};
    uint32_t id;
    option_text(*options, "column", &name);
    if (!require_column(table->name, table->columns, name, &id, error)) return false;
    const types_column_t *column = &table->columns.ptr[id];
    if (column->kind != TYPES_LOGICAL_TYPE_TEXT) {
        icehost_string_t message = {NULL, 0};
        put(&message, "'");
        put_string(&message, column->name);
        put(&message, "' is not text");
        failure(error, TYPES_FAILURE_INVALID_OPTIONS, "wrong-type", message);
        error->column.is_some = true;
        error->column.val = id;
        return false;
    }
    put_string(&output, column->name);
    put(&output, "Domain");
    types_column_t *domain = calloc(1, sizeof *domain);
    domain->name = output;
    domain->kind = TYPES_LOGICAL_TYPE_TEXT;
    domain->native_type = literal("nvarchar(255)");
    domain->writable = true;
    uint32_t *input = malloc(sizeof *input);
    *input = id;
    transformation->inputs.ptr = input;
    transformation->inputs.len = 1;
    transformation->outputs.ptr = domain;
    transformation->outputs.len = 1;
    opened = memory_mark();
    return true;
}

/// What stands after the '@', in lower-case letters as far as they are ASCII; false without one.
static bool domain_of(icehost_string_t address, icehost_string_t *domain) {
    for (size_t at = 0; at < address.len; at++) {
        if (address.ptr[at] != '@') continue;
        *domain = (icehost_string_t){address.ptr + at + 1, address.len - at - 1};
        for (size_t i = 0; i < domain->len; i++) {
            uint8_t *c = &domain->ptr[i];
            if (*c >= 'A' && *c <= 'Z') *c |= 0x20;
        }
        return true;
    }
    return false;
}

/// A batch of the columns that it reads, in the order in which it named them.
bool exports_batch_transform_apply(icehost_list_u8_t *stream,
                                   exports_batch_transform_transformed_t *transformed,
                                   types_error_t *error) {
    batch_t batch;
    if (!batch_read(stream, &batch) || batch.count != 1) {
        return failure(error, TYPES_FAILURE_INTERNAL, "no-batch", literal("it cannot read the batch"));
    }
    const batch_column_t *addresses = &batch.columns[0];
    batch_column_t domains = batch_column(BATCH_TEXT, output, 0);
    bytes_t keep = {0};
    for (size_t row = 0; row < batch.rows; row++) {
        // A row that is dropped needs a value too.
        icehost_string_t domain = {NULL, 0};
        bool has = !batch_is_null(addresses, row) && domain_of(batch_bytes(addresses, row), &domain);
        batch_add_bytes(&domains, domain);
        bytes_add_bit(&keep, row, has);
    }
    transformed->columns.is_some = true;
    transformed->columns.val = batch_write(&domains, 1, batch.rows);
    transformed->keep.is_some = true;
    transformed->keep.val = (icehost_list_u8_t){keep.ptr, keep.len};
    return true;
}

/// The host calls it once it has read what `apply` returned.
__attribute__((export_name("cabi_post_icehost:strategy/batch-transform@0.3.0#apply")))
void __wasm_export_exports_batch_transform_apply_post_return(uint8_t *returned) {
    (void)returned;
    memory_release(opened);
}
