/* Seconds counted over more than the range of board_micros(). */
#ifndef INKLING_STOPWATCH_H
#define INKLING_STOPWATCH_H

#include <stdint.h>

#include "board.h"

#define MICROS_PER_SECOND 1000000u

struct stopwatch {
    uint32_t seconds;
    uint32_t counted; /* board_micros() up to which it counts */
};

static inline void stopwatch_start(struct stopwatch *watch, uint32_t seconds) {
    watch->seconds = seconds;
    watch->counted = board_micros();
}

/* Call often: in small steps, because board_micros() wraps within a long time. */
static inline void stopwatch_count(struct stopwatch *watch) {
    const uint32_t more = (board_micros() - watch->counted) / MICROS_PER_SECOND;
    watch->counted += more * MICROS_PER_SECOND;
    watch->seconds += more;
}

/* Return the microseconds since the start, up to now. */
static inline uint64_t stopwatch_micros(const struct stopwatch *watch) {
    return (uint64_t)watch->seconds * MICROS_PER_SECOND + (uint32_t)(board_micros() - watch->counted);
}

#endif
