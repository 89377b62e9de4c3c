#include "kept.h"

#include "board.h"

/* Random after power-up, so each word has its inverse beside it. */
__attribute__((section(".noinit"))) static volatile uint32_t kept, inverse;
__attribute__((section(".noinit"))) volatile uint32_t kept_crash;

bool kept_take_crash(void) {
    const bool crashed = kept_crash == KEPT_CRASH_MARK;
    kept_crash = 0u;
    return crashed;
}

uint32_t board_kept(void) {
    return kept == ~inverse ? kept : 0u;
}

void board_keep(uint32_t word) {
    kept = word;
    inverse = ~word;
}
