// What strategies have in common: texts, columns, errors and expressions. It is yours to change.
#pragma once
#include "icehost.h"

// Texts

/// A text without a copy of it.
icehost_string_t literal(const char *text);
bool same(icehost_string_t left, icehost_string_t right);
/// Texts in the order in which they are put.
void put_byte(icehost_string_t *to, uint8_t byte);
void put(icehost_string_t *to, const char *text);
void put_string(icehost_string_t *to, icehost_string_t text);
void put_number(icehost_string_t *to, int64_t number);

// Columns

typedef types_list_column_t columns_t;

/// The column with this name; failing that, the only one whose name differs in the case of ASCII letters.
bool find_column(columns_t columns, icehost_string_t name, uint32_t *id);
/// Like `find_column`, with the error `no-column` that lists what there is.
bool require_column(icehost_string_t owner, columns_t columns, icehost_string_t name, uint32_t *id,
                    types_error_t *error);
/// The names of columns, for a message.
void put_names(icehost_string_t *to, columns_t columns);
/// The names of the key columns, in key order: how many there are.
size_t key_names(columns_t columns, icehost_string_t **names);

// Errors

/// Fills an error and gives false, which tells the host that there is one. `code` is for machines and stays
/// the same.
bool failure(types_error_t *error, types_failure_t kind, const char *code, icehost_string_t message);

// Expressions: each function adds a node and gives its position, which later ones refer to.

uint32_t add_column(types_expression_t *expression, uint32_t column);
uint32_t add_literal(types_expression_t *expression, types_value_t value);
uint32_t add_compare(types_expression_t *expression, uint32_t left, types_comparison_t op, uint32_t right);
uint32_t add_both(types_expression_t *expression, uint32_t left, uint32_t right);
uint32_t add_is_null(types_expression_t *expression, uint32_t operand);
uint32_t add_not(types_expression_t *expression, uint32_t operand);

/// The order of two values of one kind: negative, zero or positive. False where servers do not agree on one:
/// text has an order for each collation, and NULL has none.
bool compare_values(const types_value_t *left, const types_value_t *right, int *order);
