#include "stack.h"

#include <unistd.h>

#include "../common/core.h"
#include "board.h"
#include "reset.h"

namespace {

constexpr uint32_t PAINT = 0x5AC35AC3u;
constexpr size_t GUARD_WORDS = 64;

uint32_t *top; /* of the stack, when the application starts */

/* Return the end of the heap, which may grow, rounded up to a word. */
uint32_t *heap_end() {
    const auto end = reinterpret_cast<uintptr_t>(sbrk(0));
    return reinterpret_cast<uint32_t *>((end + sizeof(uint32_t) - 1u) & ~(sizeof(uint32_t) - 1u));
}

} // namespace

/* volatile: keeps the compiler from calling memset, whose stack frame would be overwritten */
void stack_start() {
    top = reinterpret_cast<uint32_t *>(__get_MSP());
    for (volatile uint32_t *word = heap_end(); word < top; word++) {
        *word = PAINT;
    }
}

void stack_check() {
    const uint32_t *word = heap_end();
    for (size_t i = 0; i < GUARD_WORDS; i++) {
        if (word[i] != PAINT) {
            reset_by_crash();
        }
    }
}

uint32_t board_stack_bytes() {
    const uint32_t *word = heap_end();
    while (word < top && *word == PAINT) {
        word++;
    }
    return static_cast<uint32_t>(top - word) * sizeof(uint32_t);
}
