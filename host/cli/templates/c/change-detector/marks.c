#include "marks.h"

#include "helpers.h"
#include <stdlib.h>

/// The layout of the watermark; in format 1 it was the mark alone.
#define FORMAT 2
/// The longest transaction whose rows are found for certain: a minute.
#define LATE 600000000LL
/// Earlier marks that are nearer in time than this tell little of each other.
#define APART (LATE / 6)

static const types_value_t NOTHING = {.tag = TYPES_VALUE_NULL};

/// `NAME before NUMBER read at`, without what is not wanted: number 0 is the latest mark.
static icehost_string_t name_of(icehost_string_t name, size_t number, const char *rest) {
    icehost_string_t whole = {NULL, 0};
    put_string(&whole, name);
    if (number > 0) {
        put(&whole, " before ");
        put_number(&whole, (int64_t)number);
    }
    put(&whole, rest);
    return whole;
}

/// A value of the watermark, NULL where there is none; clears `of_kind` if it is of another kind than wanted.
static types_value_t value(const exports_change_detection_watermark_t *watermark, icehost_string_t name,
                           uint8_t tag, bool *of_kind) {
    for (size_t i = 0; i < watermark->marks.len; i++) {
        if (!same(watermark->marks.ptr[i].f0, name)) continue;
        types_value_t found = watermark->marks.ptr[i].f1;
        if (found.tag == tag) return found;
        *of_kind = *of_kind && found.tag == TYPES_VALUE_NULL;
    }
    return NOTHING;
}

/// One mark, and whether it has a time.
static bool mark_of(const exports_change_detection_watermark_t *watermark, icehost_string_t name, size_t number,
                    uint8_t tag, mark_t *mark, bool *of_kind) {
    bool any = true;
    mark->number = value(watermark, name_of(name, number, ""), tag, of_kind);
    types_value_t at = value(watermark, name_of(name, number, " read at"), TYPES_VALUE_TIMESTAMP, &any);
    mark->at = at.val.timestamp;
    return at.tag == TYPES_VALUE_TIMESTAMP;
}

bool read_marks(exports_change_detection_context_t *context, uint32_t id, marks_t *marks, types_error_t *error) {
    *marks = (marks_t){.least = NOTHING};
    if (!context->watermark.is_some) return true;
    const exports_change_detection_watermark_t *watermark = &context->watermark.val;
    const types_column_t *column = &context->table.columns.ptr[id];
    // NULL comes first among the values, and no kind is its.
    uint8_t tag = column->kind + 1;
    uint32_t marked;
    bool fits = watermark->format == FORMAT || (watermark->format == 1 && watermark->marks.len == 1);
    if (fits && watermark->marks.len > 0 &&
        find_column(context->table.columns, watermark->marks.ptr[0].f0, &marked) && marked == id) {
        icehost_string_t own = watermark->marks.ptr[0].f0;
        marks->timed = mark_of(watermark, own, 0, tag, &marks->latest, &fits);
        marks->some = marks->latest.number.tag == tag;
        marks->by_hand = !marks->timed && watermark->format == FORMAT;
        marks->least = value(watermark, name_of(own, 0, " least"), tag, &fits);
        for (size_t *len = &marks->earlier_len; *len < MOST_EARLIER; (*len)++) {
            if (!mark_of(watermark, own, *len + 1, tag, &marks->earlier[*len], &fits)) break;
        }
        if (fits) return true;
    }
    icehost_string_t message = {NULL, 0};
    put(&message, "the watermark is not one of column '");
    put_string(&message, column->name);
    put(&message, "' as it is now");
    return failure(error, TYPES_FAILURE_STALE_WATERMARK, "other-watermark", message);
}

types_value_t lowest(const marks_t *seen, types_value_t least) {
    // Somebody has said where to begin.
    if (seen->by_hand) return seen->latest.number;
    for (size_t i = 0; seen->timed && i < seen->earlier_len; i++) {
        if (seen->earlier[i].at <= seen->latest.at - LATE) return seen->earlier[i].number;
    }
    // Numbers do not tell how far back a minute lies: until a mark is as old as that, all rows are read again.
    return smaller(seen->latest.number, least);
}

static bool equal(types_value_t one, types_value_t other) {
    int order;
    return compare_values(&one, &other, &order) && order == 0;
}

/// The marks before this run's, the latest first: how many. A clock that was set back has read none of them later
/// than now.
static size_t before(const marks_t *seen, types_value_t number, int64_t now, mark_t *marks) {
    size_t len = 0;
    for (size_t i = 0; seen->some && i <= seen->earlier_len; i++) {
        if (i == 0 && !seen->timed) continue;
        mark_t mark = i == 0 ? seen->latest : seen->earlier[i - 1];
        if (mark.at > now) mark.at = now;
        if (mark.at < now || !equal(mark.number, number)) marks[len++] = mark;
    }
    return len;
}

/// Keeps those that later runs can need: none older than one that is old enough, and none hardly newer than
/// another. Gives them with the oldest first.
static size_t thin(const mark_t *marks, size_t len, int64_t now, mark_t *kept) {
    size_t needed = 0, count = 0;
    while (needed < len && marks[needed++].at > now - LATE) {}
    while (needed-- > 0) {
        const mark_t *mark = &marks[needed], *last = count > 0 ? &kept[count - 1] : NULL;
        bool apart = !last || (mark->at - last->at >= APART && !equal(mark->number, last->number));
        if (apart && count < MOST_EARLIER) kept[count++] = *mark;
    }
    return count;
}

static void add(exports_change_detection_watermark_t *watermark, icehost_string_t name, types_value_t value) {
    watermark->marks.ptr[watermark->marks.len].f0 = name;
    watermark->marks.ptr[watermark->marks.len++].f1 = value;
}

static types_value_t moment(int64_t at) {
    types_value_t value = {.tag = TYPES_VALUE_TIMESTAMP};
    value.val.timestamp = at;
    return value;
}

void put_marks(exports_change_detection_watermark_t *watermark, icehost_string_t name, const marks_t *seen,
               types_value_t number, types_value_t least, int64_t now) {
    watermark->format = FORMAT;
    watermark->marks.len = 0;
    watermark->marks.ptr = calloc(3 + 2 * MOST_EARLIER, sizeof *watermark->marks.ptr);
    add(watermark, name, number);
    if (number.tag == TYPES_VALUE_NULL) return;
    add(watermark, name_of(name, 0, " read at"), moment(now));
    if (least.tag == TYPES_VALUE_NULL) least = seen->least;
    if (least.tag != TYPES_VALUE_NULL) add(watermark, name_of(name, 0, " least"), least);

    mark_t known[MOST_EARLIER + 1], kept[MOST_EARLIER];
    size_t count = thin(known, before(seen, number, now, known), now, kept);
    for (size_t i = 1; i <= count; i++) {
        add(watermark, name_of(name, i, ""), kept[count - i].number);
        add(watermark, name_of(name, i, " read at"), moment(kept[count - i].at));
    }
}

bool is_less(types_value_t one, types_value_t other) {
    int order;
    return compare_values(&one, &other, &order) && order < 0;
}

types_value_t smaller(types_value_t one, types_value_t other) { return is_less(other, one) ? other : one; }
