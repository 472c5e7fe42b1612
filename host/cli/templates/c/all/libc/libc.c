// What a strategy needs of the C library.
//
// Memory is only ever taken: what a call took goes with its sandbox or, where the sandbox goes on, is given back as a
// whole. The host bounds it; a strategy that asks for more is ended there.

#include "memory.h"
#include "stdlib.h"
#include "string.h"
#include <stdint.h>

#define PAGE 65536
#define ALIGNMENT 16

// Where the linker's data end.
extern uint8_t __heap_base;

static uintptr_t next;

void *malloc(size_t size) {
    if (next == 0) next = ((uintptr_t)&__heap_base + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    // The size stands before the memory, for realloc.
    uint64_t end = (uint64_t)next + ALIGNMENT + size;
    uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * PAGE;
    if (end > UINT32_MAX - ALIGNMENT) abort();
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == SIZE_MAX) abort();
    size_t *header = (size_t *)next;
    *header = size;
    next = ((uintptr_t)end + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    return (uint8_t *)header + ALIGNMENT;
}

void *calloc(size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size) abort();
    return memset(malloc(count * size), 0, count * size);
}

void *realloc(void *old, size_t size) {
    if (old == NULL) return malloc(size);
    size_t had = *(size_t *)((uint8_t *)old - ALIGNMENT);
    return had >= size ? old : memcpy(malloc(size), old, had);
}

size_t memory_mark(void) { return next; }

void memory_release(size_t mark) { next = mark; }

void free(void *old) { (void)old; }

_Noreturn void abort(void) { __builtin_trap(); }

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    for (size_t i = 0; i < length; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

void *memmove(void *to, const void *from, size_t length) {
    if (to <= from) {
        for (size_t i = 0; i < length; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    } else {
        while (length-- > 0) ((uint8_t *)to)[length] = ((const uint8_t *)from)[length];
    }
    return to;
}

void *memset(void *to, int value, size_t length) {
    for (size_t i = 0; i < length; i++) ((uint8_t *)to)[i] = (uint8_t)value;
    return to;
}

int memcmp(const void *left, const void *right, size_t length) {
    const uint8_t *a = left, *b = right;
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i]) return a[i] - b[i];
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length] != 0) length++;
    return length;
}
