#include "bytes.h"

#include <stdlib.h>
#include <string.h>

static void grow(bytes_t *to, size_t more) {
    if (to->len + more <= to->capacity) return;
    size_t capacity = to->capacity < 64 ? 64 : to->capacity;
    while (capacity < to->len + more) capacity *= 2;
    // Not of its old size, but of what is in it.
    uint8_t *ptr = malloc(capacity);
    memcpy(ptr, to->ptr, to->len);
    to->ptr = ptr;
    to->capacity = capacity;
}

void bytes_add(bytes_t *to, const void *bytes, size_t length) {
    grow(to, length);
    memcpy(to->ptr + to->len, bytes, length);
    to->len += length;
}

void bytes_add_zeros(bytes_t *to, size_t length) {
    grow(to, length);
    memset(to->ptr + to->len, 0, length);
    to->len += length;
}

void bytes_align(bytes_t *to, size_t size) { bytes_add_zeros(to, -to->len & (size - 1)); }

void bytes_add32(bytes_t *to, int32_t value) { bytes_add(to, &value, sizeof value); }
void bytes_add64(bytes_t *to, int64_t value) { bytes_add(to, &value, sizeof value); }

void bytes_add_bit(bytes_t *to, size_t row, bool value) {
    if (row % 8 == 0) bytes_add_zeros(to, 1);
    to->ptr[row / 8] |= (uint8_t)(value << (row % 8));
}
