// Bytes that grow, and numbers among them.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *ptr;
    size_t len, capacity;
} bytes_t;

void bytes_add(bytes_t *to, const void *bytes, size_t length);
void bytes_add_zeros(bytes_t *to, size_t length);
/// Up to a multiple of a power of two.
void bytes_align(bytes_t *to, size_t size);
void bytes_add32(bytes_t *to, int32_t value);
void bytes_add64(bytes_t *to, int64_t value);
/// Sets the bit of a row, least significant first; rows come in order.
void bytes_add_bit(bytes_t *to, size_t row, bool value);

// Numbers are little-endian, as in WebAssembly, but lie anywhere.

#define GET(type, name)                                                                                    \
    static inline type name(const uint8_t *at) {                                                           \
        type value;                                                                                        \
        __builtin_memcpy(&value, at, sizeof value);                                                        \
        return value;                                                                                      \
    }
GET(uint16_t, get16)
GET(int32_t, get32)
GET(int64_t, get64)
GET(float, get_float)
GET(double, get_double)
