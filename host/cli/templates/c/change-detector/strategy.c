// {{name}}: rows whose number grew since the last run.
//
// The host calls `probes`, `plan` and `advance` in this order, each in a fresh sandbox: nothing but the
// watermark is remembered from one call to the next.

#include "helpers.h"
#include "icehost.h"
#include "options.h"
#include <stdlib.h>

/// The layout of the watermark: one mark, named after the column.
#define FORMAT 1

static const char OPTIONS[] =
    "{\"type\": \"object\", \"properties\": {\"column\": {\"type\": \"string\", \"minLength\": 1,"
    " \"description\": \"The column whose value grows with every change of a row.\"}},"
    " \"required\": [\"column\"], \"additionalProperties\": false}";

void exports_metadata_describe(exports_metadata_description_t *description) {
    description->name = literal("{{name}}");
    description->version = literal("0.1.0");
    description->summary = literal("reads rows whose number grew since the last run");
    description->options_schema = literal(OPTIONS);
}

/// The cursor column, and how far it has been read: not at all on the first run.
typedef struct {
    uint32_t id;
    const types_column_t *column;
    bool seen;
    types_value_t mark;
} cursor_t;

/// The kind that a value of a column has: NULL comes first among the values, and no kind is its.
static uint8_t value_of(types_logical_type_t kind) { return kind + 1; }

static bool cursor_of(exports_change_detection_context_t *context, cursor_t *cursor, types_error_t *error) {
    icehost_string_t name = {NULL, 0};
    option_text(context->options, "column", &name);
    *cursor = (cursor_t){.seen = false};
    if (!require_column(context->table.name, context->table.columns, name, &cursor->id, error)) return false;
    cursor->column = &context->table.columns.ptr[cursor->id];
    if (!context->watermark.is_some) return true;

    exports_change_detection_watermark_t *watermark = &context->watermark.val;
    uint32_t marked;
    if (watermark->format == FORMAT && watermark->marks.len == 1 &&
        find_column(context->table.columns, watermark->marks.ptr[0].f0, &marked) && marked == cursor->id) {
        cursor->mark = watermark->marks.ptr[0].f1;
        cursor->seen = cursor->mark.tag != TYPES_VALUE_NULL;
        if (!cursor->seen || cursor->mark.tag == value_of(cursor->column->kind)) return true;
    }
    icehost_string_t message = {NULL, 0};
    put(&message, "the watermark is not one of column '");
    put_string(&message, cursor->column->name);
    put(&message, "' as it is now");
    return failure(error, TYPES_FAILURE_STALE_WATERMARK, "other-watermark", message);
}

/// The larger of what was read before and what the server has now; NULL where there is neither.
static bool larger(const cursor_t *cursor, const types_value_t *now, types_value_t *upper, types_error_t *error) {
    *upper = cursor->seen ? cursor->mark : *now;
    if (!cursor->seen || now->tag == TYPES_VALUE_NULL) return true;
    int order;
    if (!compare_values(&cursor->mark, now, &order)) {
        icehost_string_t message = {NULL, 0};
        put(&message, "values of column '");
        put_string(&message, cursor->column->name);
        put(&message, "' have no order that all servers share");
        return failure(error, TYPES_FAILURE_UNSUPPORTED_TABLE, "no-order", message);
    }
    if (order < 0) *upper = *now;
    return true;
}

/// What the host reads before it asks for the plan.
bool exports_change_detection_probes(exports_change_detection_context_t *context,
                                     exports_change_detection_list_probe_t *probes, types_error_t *error) {
    cursor_t cursor;
    if (!cursor_of(context, &cursor, error)) return false;
    probes->len = cursor.column->nullable ? 2 : 1;
    probes->ptr = calloc(2, sizeof *probes->ptr);
    probes->ptr[0].tag = EXPORTS_CHANGE_DETECTION_PROBE_AGGREGATE;
    probes->ptr[0].val.aggregate = (types_aggregate_t){TYPES_AGGREGATE_FUNCTION_MAX, cursor.id};
    probes->ptr[1].tag = EXPORTS_CHANGE_DETECTION_PROBE_AGGREGATE;
    probes->ptr[1].val.aggregate = (types_aggregate_t){TYPES_AGGREGATE_FUNCTION_COUNT_NULL, cursor.id};
    return true;
}

/// The rows above the watermark and up to what was the largest number.
static types_expression_t wanted(const cursor_t *cursor, types_value_t upper) {
    types_expression_t wanted = {{NULL, 0}, 0};
    if (upper.tag == TYPES_VALUE_NULL) {
        // Nothing has a value: no row is wanted.
        uint32_t null = add_is_null(&wanted, add_column(&wanted, cursor->id));
        uint32_t value = add_not(&wanted, add_is_null(&wanted, add_column(&wanted, cursor->id)));
        add_both(&wanted, null, value);
        return wanted;
    }
    uint32_t above = 0;
    if (cursor->seen) {
        uint32_t column = add_column(&wanted, cursor->id);
        above = add_compare(&wanted, column, TYPES_COMPARISON_GT, add_literal(&wanted, cursor->mark));
    }
    uint32_t column = add_column(&wanted, cursor->id);
    uint32_t below = add_compare(&wanted, column, TYPES_COMPARISON_LE, add_literal(&wanted, upper));
    if (cursor->seen) add_both(&wanted, above, below);
    return wanted;
}

/// Which rows to read.
bool exports_change_detection_plan(exports_change_detection_context_t *context,
                                   exports_change_detection_list_value_t *readings,
                                   exports_change_detection_extraction_plan_t *plan, types_error_t *error) {
    cursor_t cursor;
    if (!cursor_of(context, &cursor, error)) return false;
    int64_t nulls = cursor.column->nullable ? readings->ptr[1].val.integer : 0;
    if (nulls > 0) {
        icehost_string_t message = {NULL, 0};
        put_number(&message, nulls);
        put(&message, " rows of ");
        put_string(&message, context->table.name);
        put(&message, " have NULL in '");
        put_string(&message, cursor.column->name);
        put(&message, "' and would never be read");
        failure(error, TYPES_FAILURE_BAD_DATA, "null-cursor", message);
        error->column.is_some = true;
        error->column.val = cursor.id;
        return false;
    }
    types_value_t upper;
    if (!larger(&cursor, &readings->ptr[0], &upper, error)) return false;

    *plan = (exports_change_detection_extraction_plan_t){
        .source = {.tag = EXPORTS_CHANGE_DETECTION_CHANGE_SOURCE_ROWS},
        .coverage = cursor.seen ? EXPORTS_CHANGE_DETECTION_COVERAGE_INCREMENTAL
                                : EXPORTS_CHANGE_DETECTION_COVERAGE_FULL,
        .filter = {.is_some = true, .val = wanted(&cursor, upper)},
    };
    plan->columns.len = context->table.columns.len;
    plan->columns.ptr = calloc(plan->columns.len, sizeof *plan->columns.ptr);
    for (uint32_t id = 0; id < plan->columns.len; id++) plan->columns.ptr[id] = id;
    plan->order_by.len = 1;
    plan->order_by.ptr = calloc(1, sizeof *plan->order_by.ptr);
    plan->order_by.ptr[0] = (types_sort_key_t){cursor.id, TYPES_DIRECTION_ASCENDING};
    return true;
}

/// How far the source has been read once those rows are committed. It never moves back.
bool exports_change_detection_advance(exports_change_detection_context_t *context,
                                      exports_change_detection_outcome_t *outcome,
                                      exports_change_detection_watermark_t *watermark, types_error_t *error) {
    cursor_t cursor;
    if (!cursor_of(context, &cursor, error)) return false;
    watermark->format = FORMAT;
    watermark->marks.len = 1;
    watermark->marks.ptr = calloc(1, sizeof *watermark->marks.ptr);
    watermark->marks.ptr[0].f0 = cursor.column->name;
    return larger(&cursor, &outcome->readings.ptr[0], &watermark->marks.ptr[0].f1, error);
}
