// {{name}}: rows whose number grew since the last run.
//
// The host calls `probes`, `plan` and `advance` in this order, each in a fresh sandbox: nothing but the
// watermark is remembered from one call to the next.

#include "helpers.h"
#include "icehost.h"
#include "marks.h"
#include "options.h"
#include <stdlib.h>

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
    marks_t seen;
} cursor_t;

/// What all servers order alike, and no clock runs ahead of; the bytes are those of a `rowversion`.
static bool grows(const types_column_t *column) {
    return column->kind == TYPES_LOGICAL_TYPE_INTEGER || column->kind == TYPES_LOGICAL_TYPE_DECIMAL ||
           column->kind == TYPES_LOGICAL_TYPE_DOUBLE || column->kind == TYPES_LOGICAL_TYPE_BINARY;
}

/// An error about the cursor column: what is said, its name, and what else is said.
static bool about(const cursor_t *cursor, types_failure_t kind, const char *code, const char *said,
                  const char *rest, types_error_t *error) {
    icehost_string_t message = {NULL, 0};
    put(&message, said);
    put(&message, "'");
    put_string(&message, cursor->column->name);
    put(&message, "'");
    put(&message, rest);
    failure(error, kind, code, message);
    error->column.is_some = true;
    error->column.val = cursor->id;
    return false;
}

static bool cursor_of(exports_change_detection_context_t *context, cursor_t *cursor, types_error_t *error) {
    icehost_string_t name = {NULL, 0};
    option_text(context->options, "column", &name);
    columns_t columns = context->table.columns;
    if (!require_column(context->table.name, columns, name, &cursor->id, error)) return false;
    cursor->column = &columns.ptr[cursor->id];
    if (grows(cursor->column)) return read_marks(context, cursor->id, &cursor->seen, error);

    columns_t numbers = {calloc(columns.len, sizeof *columns.ptr), 0};
    for (size_t i = 0; i < columns.len; i++) {
        if (grows(&columns.ptr[i])) numbers.ptr[numbers.len++] = columns.ptr[i];
    }
    about(cursor, TYPES_FAILURE_INVALID_OPTIONS, "wrong-type", "", " holds no numbers; columns that do: ", error);
    put_names(&error->message, numbers);
    return false;
}

/// What was probed: the largest and the smallest number, the server's time, and how many rows have none.
typedef struct {
    types_value_t largest, least;
    int64_t now, nulls;
} readings_t;

static readings_t readings_of(const cursor_t *cursor, const exports_change_detection_list_value_t *readings) {
    bool nullable = cursor->column->nullable;
    return (readings_t){
        .largest = readings->ptr[0],
        .now = readings->ptr[1].val.timestamp,
        .nulls = nullable ? readings->ptr[2].val.integer : 0,
        .least = readings->ptr[nullable ? 3 : 2],
    };
}

/// The larger of what was read before and what the server has now; NULL where there is neither.
static bool larger(const cursor_t *cursor, const types_value_t *now, types_value_t *upper, types_error_t *error) {
    const types_value_t *mark = &cursor->seen.latest.number;
    *upper = cursor->seen.some ? *mark : *now;
    if (!cursor->seen.some || now->tag == TYPES_VALUE_NULL) return true;
    int order;
    if (!compare_values(mark, now, &order)) {
        return about(cursor, TYPES_FAILURE_UNSUPPORTED_TABLE, "no-order", "values of column ",
                     " cannot be compared with what was read before", error);
    }
    if (order < 0) *upper = *now;
    return true;
}

/// An aggregate over a column of all rows.
static exports_change_detection_filtered_aggregate_t over(types_aggregate_function_t function, types_column_id_t column) {
    return (exports_change_detection_filtered_aggregate_t){.function = function, .column = column};
}

/// What the host reads before it asks for the plan; `readings_of` takes it apart.
bool exports_change_detection_probes(exports_change_detection_context_t *context,
                                     exports_change_detection_list_probe_t *probes, types_error_t *error) {
    cursor_t cursor;
    if (!cursor_of(context, &cursor, error)) return false;
    exports_change_detection_probe_t *probe = probes->ptr = calloc(4, sizeof *probes->ptr);
    probe->tag = EXPORTS_CHANGE_DETECTION_PROBE_AGGREGATE;
    probe++->val.aggregate = over(TYPES_AGGREGATE_FUNCTION_MAX, cursor.id);
    probe++->tag = EXPORTS_CHANGE_DETECTION_PROBE_SOURCE_TIME;
    if (cursor.column->nullable) {
        probe->tag = EXPORTS_CHANGE_DETECTION_PROBE_AGGREGATE;
        probe++->val.aggregate = over(TYPES_AGGREGATE_FUNCTION_COUNT_NULL, cursor.id);
    }
    probe->tag = EXPORTS_CHANGE_DETECTION_PROBE_AGGREGATE;
    probe++->val.aggregate = over(TYPES_AGGREGATE_FUNCTION_MIN, cursor.id);
    probes->len = probe - probes->ptr;
    return true;
}

/// The rows from somewhat below the watermark, inclusive, up to what was the largest number.
static types_expression_t wanted(const cursor_t *cursor, types_value_t lower, types_value_t upper) {
    types_expression_t wanted = {{NULL, 0}, 0};
    if (upper.tag == TYPES_VALUE_NULL) {
        // Nothing has a value: no row is wanted.
        uint32_t null = add_is_null(&wanted, add_column(&wanted, cursor->id));
        uint32_t value = add_not(&wanted, add_is_null(&wanted, add_column(&wanted, cursor->id)));
        add_both(&wanted, null, value);
        return wanted;
    }
    uint32_t above = 0;
    if (cursor->seen.some) {
        uint32_t column = add_column(&wanted, cursor->id);
        above = add_compare(&wanted, column, TYPES_COMPARISON_GE, add_literal(&wanted, lower));
    }
    uint32_t column = add_column(&wanted, cursor->id);
    uint32_t below = add_compare(&wanted, column, TYPES_COMPARISON_LE, add_literal(&wanted, upper));
    if (cursor->seen.some) add_both(&wanted, above, below);
    return wanted;
}

/// Which rows to read.
bool exports_change_detection_plan(exports_change_detection_context_t *context,
                                   exports_change_detection_list_value_t *readings,
                                   exports_change_detection_extraction_plan_t *plan, types_error_t *error) {
    cursor_t cursor;
    if (!cursor_of(context, &cursor, error)) return false;
    readings_t now = readings_of(&cursor, readings);
    if (now.nulls > 0) {
        icehost_string_t said = {NULL, 0};
        put_number(&said, now.nulls);
        put(&said, " rows have NULL in ");
        put_byte(&said, 0);
        return about(&cursor, TYPES_FAILURE_BAD_DATA, "null-cursor", (const char *)said.ptr,
                     " and would never be read", error);
    }
    types_value_t upper;
    if (!larger(&cursor, &now.largest, &upper, error)) return false;
    // Where the newest rows are gone, the ones before them tell whether the numbers have started over.
    types_value_t lower = cursor.seen.some ? smaller(lowest(&cursor.seen, now.least), now.largest) : upper;
    if (cursor.seen.some && is_less(now.least, cursor.seen.least) && is_less(now.least, lower)) {
        return about(&cursor, TYPES_FAILURE_STALE_WATERMARK, "counts-down", "rows with smaller numbers have come to ",
                     "", error);
    }

    *plan = (exports_change_detection_extraction_plan_t){
        .source = {.tag = EXPORTS_CHANGE_DETECTION_CHANGE_SOURCE_ROWS},
        .coverage = cursor.seen.some ? EXPORTS_CHANGE_DETECTION_COVERAGE_INCREMENTAL
                                     : EXPORTS_CHANGE_DETECTION_COVERAGE_FULL,
        .filter = {.is_some = true, .val = wanted(&cursor, lower, upper)},
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
    readings_t now = readings_of(&cursor, &outcome->readings);
    types_value_t upper;
    if (!larger(&cursor, &now.largest, &upper, error)) return false;
    // `rows` does not count what the lake had already.
    if (cursor.seen.some && is_less(now.largest, cursor.seen.latest.number) && outcome->rows > 0) {
        return about(&cursor, TYPES_FAILURE_STALE_WATERMARK, "started-over", "new rows lie below the last number of ",
                     "", error);
    }
    put_marks(watermark, cursor.column->name, &cursor.seen, upper, now.least, now.now);
    return true;
}
