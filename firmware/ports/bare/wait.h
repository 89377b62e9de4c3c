/* Bounded waits for hardware. */
#ifndef INKLING_BARE_WAIT_H
#define INKLING_BARE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* Polls, not time, because the clock may be what does not respond. A poll takes at least two instructions: 10 ms at
 * 200 MHz, while a byte takes 1 ms at 9600 baud. */
#define WAIT_POLLS 1000000u

/* Wait until the hardware is ready. Returns false if it is not after WAIT_POLLS polls, or after one if `stalled`. */
static inline bool wait_until(bool (*is_ready)(void), bool stalled) {
    for (uint32_t polls = stalled ? 1u : WAIT_POLLS; polls > 0u; polls--) {
        if (is_ready()) {
            return true;
        }
    }
    return false;
}

#endif
