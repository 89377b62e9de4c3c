#include "backoff.h"

#include "stopwatch.h"
#include "wire/status.h"

#define FREE_FAULTS 2u /* without a wait */
#define FIRST_WAIT_S 60u
#define LONGEST_WAIT_S 3600u
#define MOST_FAULTS 9u /* beyond, the wait grows no more */

static struct stopwatch since_start;
static uint32_t wait_s;
static bool in_row; /* of faults */

static bool is_fault(uint8_t cause) {
    return cause == WIRE_RESET_WATCHDOG || cause == WIRE_RESET_CRASH || cause == WIRE_RESET_BROWN_OUT;
}

/* The kept word: the faults in a row, and above them the wakings since the last one. */
void backoff_start(void) {
    const uint8_t cause = board_reset_cause();
    uint32_t faults = board_kept() & 0xFFu;
    uint32_t wakes = board_kept() >> 8;
    if (is_fault(cause)) {
        faults = faults < MOST_FAULTS ? faults + 1u : MOST_FAULTS;
        wakes = 0;
    } else {
        wakes = faults > 0u && cause == WIRE_RESET_DEEP_SLEEP ? wakes + 1u : BACKOFF_CALM_WAKES;
    }
    if (wakes >= BACKOFF_CALM_WAKES) {
        faults = wakes = 0;
    }
    in_row = faults > 0u;
    board_keep(faults | wakes << 8);
    wait_s = 0;
    if (faults > FREE_FAULTS && wakes == 0u) {
        const uint32_t doubled = FIRST_WAIT_S << (faults - FREE_FAULTS - 1u);
        wait_s = doubled < LONGEST_WAIT_S ? doubled : LONGEST_WAIT_S;
    }
    stopwatch_start(&since_start, 0);
}

bool backoff_over(void) {
    const uint32_t seconds = stopwatch_seconds(&since_start);
    if (in_row && seconds >= wait_s + BACKOFF_CALM_S) {
        in_row = false;
        board_keep(0);
    }
    return seconds >= wait_s;
}
