/* Stopwatch in seconds, for times longer than the clock's range. */
#ifndef INKLING_STOPWATCH_H
#define INKLING_STOPWATCH_H

#include "board.h"

#define MICROS_PER_SECOND 1000000u

struct stopwatch {
    uint32_t seconds;
    uint32_t counted; /* board_micros() up to which it counts */
};

/* Start with this many seconds. */
static inline void stopwatch_start(struct stopwatch *watch, uint32_t seconds) {
    watch->seconds = seconds;
    watch->counted = board_micros();
}

/* Return the seconds. Call often: board_micros() wraps every 71 minutes. */
static inline uint32_t stopwatch_seconds(struct stopwatch *watch) {
    const uint32_t more = (board_micros() - watch->counted) / MICROS_PER_SECOND;
    watch->counted += more * MICROS_PER_SECOND;
    watch->seconds += more;
    return watch->seconds;
}

/* Return the microseconds since the start. */
static inline uint64_t stopwatch_micros(struct stopwatch *watch) {
    const uint64_t seconds = stopwatch_seconds(watch);
    return seconds * MICROS_PER_SECOND + (uint32_t)(board_micros() - watch->counted);
}

#endif
