#pragma once
#include <stddef.h>

/// Where memory ends that is taken; 0 where none is yet.
size_t memory_mark(void);
/// Gives back all that was taken since.
void memory_release(size_t mark);
