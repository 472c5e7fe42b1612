// {{name}}: rows whose key is known are overwritten, the others added.

#include "helpers.h"
#include "icehost.h"
#include "options.h"
#include <stdlib.h>

/// What the operation column holds for a row that is gone.
static const types_value_t DELETE = {.tag = TYPES_VALUE_INTEGER, .val = {.integer = 0}};

static const char OPTIONS[] =
    "{\"type\": \"object\", \"properties\": {\"keys\": {\"type\": \"array\","
    " \"items\": {\"type\": \"string\", \"minLength\": 1}, \"minItems\": 1, \"description\":"
    " \"The columns that identify a row; by default the key of the target, else of the rows.\"}},"
    " \"additionalProperties\": false}";

void exports_metadata_describe(exports_metadata_description_t *description) {
    description->name = literal("{{name}}");
    description->version = literal("0.1.0");
    description->summary = literal("overwrites rows whose key is known and adds the others");
    description->options_schema = literal(OPTIONS);
}

typedef exports_merge_list_key_pair_t keys_t;

/// The key columns on both sides, which have equal names: those that the user names, else the target's, else
/// the rows'.
static bool key_pairs(types_table_t *target, exports_merge_delta_t *delta, icehost_string_t options,
                      keys_t *keys, types_error_t *error) {
    columns_t columns = {delta->columns.ptr, delta->columns.len};
    icehost_string_t *names;
    size_t count = option_texts(options, "keys", &names);
    if (count == 0) count = key_names(target->columns, &names);
    if (count == 0) count = key_names(columns, &names);
    if (count == 0) {
        icehost_string_t message = {NULL, 0};
        put(&message, "neither ");
        put_string(&message, target->name);
        put(&message, " nor the source has a key; set keys to one or more of ");
        put_names(&message, columns);
        return failure(error, TYPES_FAILURE_INVALID_OPTIONS, "no-key", message);
    }
    *keys = (keys_t){calloc(count, sizeof *keys->ptr), count};
    for (size_t i = 0; i < count; i++) {
        exports_merge_key_pair_t *pair = &keys->ptr[i];
        if (!require_column(literal("the delta"), columns, names[i], &pair->source, error) ||
            !require_column(target->name, target->columns, names[i], &pair->target, error)) {
            return false;
        }
        for (size_t before = 0; before < i; before++) {
            if (keys->ptr[before].target != pair->target) continue;
            icehost_string_t message = {NULL, 0};
            put(&message, "keys names '");
            put_string(&message, names[i]);
            put(&message, "' twice");
            return failure(error, TYPES_FAILURE_INVALID_OPTIONS, "repeated-key", message);
        }
    }
    return true;
}

static void add_clause(exports_merge_merge_plan_t *plan, exports_merge_occasion_t occasion, uint8_t action) {
    exports_merge_list_clause_t *clauses = &plan->clauses;
    clauses->ptr = realloc(clauses->ptr, (clauses->len + 1) * sizeof *clauses->ptr);
    clauses->ptr[clauses->len++] =
        (exports_merge_clause_t){.occasion = occasion, .action = {.tag = action}};
}

/// The same for rows that are gone.
static void add_clause_for_deleted(exports_merge_merge_plan_t *plan, exports_merge_occasion_t occasion,
                                   uint8_t action, uint32_t operation) {
    add_clause(plan, occasion, action);
    exports_merge_clause_t *clause = &plan->clauses.ptr[plan->clauses.len - 1];
    clause->condition.is_some = true;
    types_expression_t *deleted = &clause->condition.val;
    uint32_t column = add_column(deleted, operation);
    add_compare(deleted, column, TYPES_COMPARISON_EQ, add_literal(deleted, DELETE));
}

/// What to do with rows that match and with those that do not.
bool exports_merge_plan(types_table_t *target, exports_merge_delta_t *delta, icehost_string_t *options,
                        exports_merge_merge_plan_t *plan, types_error_t *error) {
    *plan = (exports_merge_merge_plan_t){.mode = EXPORTS_MERGE_WRITE_MODE_MERGE_ON_READ};
    if (delta->operation.is_some) {
        uint32_t operation = delta->operation.val;
        add_clause_for_deleted(plan, EXPORTS_MERGE_OCCASION_MATCHED, EXPORTS_MERGE_ACTION_DELETE, operation);
        add_clause_for_deleted(plan, EXPORTS_MERGE_OCCASION_NOT_MATCHED, EXPORTS_MERGE_ACTION_SKIP, operation);
    }
    add_clause(plan, EXPORTS_MERGE_OCCASION_MATCHED, EXPORTS_MERGE_ACTION_WRITE_ALL);
    add_clause(plan, EXPORTS_MERGE_OCCASION_NOT_MATCHED, EXPORTS_MERGE_ACTION_WRITE_ALL);
    return key_pairs(target, delta, *options, &plan->keys, error);
}
