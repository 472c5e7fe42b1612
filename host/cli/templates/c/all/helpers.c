#include "helpers.h"

#include <stdlib.h>
#include <string.h>

icehost_string_t literal(const char *text) {
    return (icehost_string_t){(uint8_t *)text, strlen(text)};
}

bool same(icehost_string_t left, icehost_string_t right) {
    return left.len == right.len && memcmp(left.ptr, right.ptr, left.len) == 0;
}

void put_byte(icehost_string_t *to, uint8_t byte) {
    put_string(to, (icehost_string_t){&byte, 1});
}

void put(icehost_string_t *to, const char *text) { put_string(to, literal(text)); }

void put_string(icehost_string_t *to, icehost_string_t text) {
    to->ptr = realloc(to->ptr, to->len + text.len);
    memcpy(to->ptr + to->len, text.ptr, text.len);
    to->len += text.len;
}

void put_number(icehost_string_t *to, int64_t number) {
    uint8_t digits[20];
    size_t first = sizeof digits;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do digits[--first] = '0' + rest % 10;
    while ((rest /= 10) > 0);
    if (number < 0) put_byte(to, '-');
    put_string(to, (icehost_string_t){digits + first, sizeof digits - first});
}

static uint8_t folded(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }

static bool alike(icehost_string_t left, icehost_string_t right) {
    if (left.len != right.len) return false;
    for (size_t i = 0; i < left.len; i++) {
        if (folded(left.ptr[i]) != folded(right.ptr[i])) return false;
    }
    return true;
}

bool find_column(columns_t columns, icehost_string_t name, uint32_t *id) {
    size_t found = 0;
    for (uint32_t i = 0; i < columns.len; i++) {
        if (same(columns.ptr[i].name, name)) {
            *id = i;
            return true;
        }
        if (alike(columns.ptr[i].name, name) && found++ == 0) *id = i;
    }
    return found == 1;
}

bool require_column(icehost_string_t owner, columns_t columns, icehost_string_t name, uint32_t *id,
                    types_error_t *error) {
    if (find_column(columns, name, id)) return true;
    icehost_string_t message = {NULL, 0};
    put_string(&message, owner);
    put(&message, " has no column '");
    put_string(&message, name);
    put(&message, "'; its columns are ");
    put_names(&message, columns);
    return failure(error, TYPES_FAILURE_INVALID_OPTIONS, "no-column", message);
}

void put_names(icehost_string_t *to, columns_t columns) {
    if (columns.len == 0) put(to, "none");
    for (size_t i = 0; i < columns.len; i++) {
        put(to, i == 0 ? "'" : ", '");
        put_string(to, columns.ptr[i].name);
        put(to, "'");
    }
}

size_t key_names(columns_t columns, icehost_string_t **names) {
    size_t count = 0;
    *names = calloc(columns.len, sizeof **names);
    for (uint32_t position = 0; position < columns.len; position++) {
        for (size_t i = 0; i < columns.len; i++) {
            const types_column_t *column = &columns.ptr[i];
            if (column->key_position.is_some && column->key_position.val == position) {
                (*names)[count++] = column->name;
            }
        }
    }
    return count;
}

bool failure(types_error_t *error, types_failure_t kind, const char *code, icehost_string_t message) {
    *error = (types_error_t){.kind = kind, .code = literal(code), .message = message};
    return false;
}

static uint32_t add(types_expression_t *expression, types_node_t node) {
    types_list_node_t *nodes = &expression->nodes;
    nodes->ptr = realloc(nodes->ptr, (nodes->len + 1) * sizeof *nodes->ptr);
    nodes->ptr[nodes->len] = node;
    // What is added last refers to all the rest.
    return expression->root = nodes->len++;
}

uint32_t add_column(types_expression_t *expression, uint32_t column) {
    types_node_t node = {.tag = TYPES_NODE_COLUMN};
    node.val.column = (types_column_ref_t){TYPES_SIDE_SOURCE, column};
    return add(expression, node);
}

uint32_t add_literal(types_expression_t *expression, types_value_t value) {
    types_node_t node = {.tag = TYPES_NODE_LITERAL};
    node.val.literal = value;
    return add(expression, node);
}

uint32_t add_compare(types_expression_t *expression, uint32_t left, types_comparison_t op, uint32_t right) {
    types_node_t node = {.tag = TYPES_NODE_COMPARE};
    node.val.compare = (types_compare_t){op, left, right};
    return add(expression, node);
}

uint32_t add_both(types_expression_t *expression, uint32_t left, uint32_t right) {
    types_node_t node = {.tag = TYPES_NODE_ALL_OF};
    node.val.all_of.ptr = malloc(2 * sizeof *node.val.all_of.ptr);
    node.val.all_of.ptr[0] = left;
    node.val.all_of.ptr[1] = right;
    node.val.all_of.len = 2;
    return add(expression, node);
}

uint32_t add_is_null(types_expression_t *expression, uint32_t operand) {
    types_node_t node = {.tag = TYPES_NODE_IS_NULL};
    node.val.is_null = operand;
    return add(expression, node);
}

uint32_t add_not(types_expression_t *expression, uint32_t operand) {
    types_node_t node = {.tag = TYPES_NODE_NEGATE};
    node.val.negate = operand;
    return add(expression, node);
}

#define ORDER(a, b) ((a) < (b) ? -1 : (a) > (b) ? 1 : 0)

bool compare_values(const types_value_t *left, const types_value_t *right, int *order) {
    if (left->tag != right->tag) return false;
    switch (left->tag) {
    case TYPES_VALUE_INTEGER: *order = ORDER(left->val.integer, right->val.integer); return true;
    case TYPES_VALUE_DOUBLE: *order = ORDER(left->val.double_, right->val.double_); return true;
    case TYPES_VALUE_DATE: *order = ORDER(left->val.date, right->val.date); return true;
    case TYPES_VALUE_TIME: *order = ORDER(left->val.time, right->val.time); return true;
    case TYPES_VALUE_TIMESTAMP: *order = ORDER(left->val.timestamp, right->val.timestamp); return true;
    case TYPES_VALUE_TIMESTAMP_TZ:
        *order = ORDER(left->val.timestamp_tz.ticks, right->val.timestamp_tz.ticks);
        return true;
    case TYPES_VALUE_DECIMAL: {
        const types_decimal_t *a = &left->val.decimal, *b = &right->val.decimal;
        // A column has one scale, unless it was altered.
        if (a->scale != b->scale) return false;
        *order = a->high == b->high ? ORDER(a->low, b->low) : ORDER(a->high, b->high);
        return true;
    }
    case TYPES_VALUE_BINARY: {
        const icehost_list_u8_t *a = &left->val.binary, *b = &right->val.binary;
        int bytes = memcmp(a->ptr, b->ptr, a->len < b->len ? a->len : b->len);
        *order = bytes != 0 ? bytes : ORDER(a->len, b->len);
        return true;
    }
    default: return false;
    }
}
