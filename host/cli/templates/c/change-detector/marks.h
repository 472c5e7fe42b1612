// How far a column has been read: the mark, the server's time at which it was read, and a few earlier marks.
//
// A row gets its number when it is written and is seen when its transaction commits. What was not yet committed
// at the last run was written, at the earliest, the length of its transaction before that run; so the next run
// reads again from the mark that had been reached that long before. What the lake has of it, the host leaves out.
#pragma once
#include "icehost.h"

/// More earlier marks than there can be: they lie at least 10 s apart, and one of them at least a minute back.
#define MOST_EARLIER 8

/// Read up to and including a number, at the server's time `at`, in ticks of 100 ns.
typedef struct {
    types_value_t number;
    int64_t at;
} mark_t;

typedef struct {
    /// Something has been read; without it, all the rest says nothing.
    bool some;
    mark_t latest;
    /// When the latest mark was read is known.
    bool timed;
    /// Somebody has set it.
    bool by_hand;
    /// The smallest number that there was; NULL where that is not known.
    types_value_t least;
    /// The latest first.
    mark_t earlier[MOST_EARLIER];
    size_t earlier_len;
} marks_t;

/// What a watermark says of column `id`; false and an error where it is none of it.
bool read_marks(exports_change_detection_context_t *context, uint32_t id, marks_t *marks, types_error_t *error);

/// The number from which on the next run reads again; `least` is the smallest that there is now.
types_value_t lowest(const marks_t *seen, types_value_t least);

/// The watermark of a run that has read up to `number` at `now`; `number` is NULL where there is none.
void put_marks(exports_change_detection_watermark_t *watermark, icehost_string_t name, const marks_t *seen,
               types_value_t number, types_value_t least, int64_t now);

/// Whether both are numbers, and the first is smaller.
bool is_less(types_value_t one, types_value_t other);
/// The smaller of two numbers, of which the second may be NULL.
types_value_t smaller(types_value_t one, types_value_t other);
