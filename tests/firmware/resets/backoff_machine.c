/* Simulated board for firmware/src/backoff.c: a test sets the clock and the cause of the reset. */
#include "board.h"

uint32_t machine_micros;
uint8_t machine_cause;

static uint32_t kept;

uint32_t board_micros(void) {
    return machine_micros;
}

uint8_t board_reset_cause(void) {
    return machine_cause;
}

uint32_t board_kept(void) {
    return kept;
}

void board_keep(uint32_t word) {
    kept = word;
}
