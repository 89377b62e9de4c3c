/* Unattended capture on boards with a camera: periodic or on motion, optionally with deep sleep in between. Build
 * flags:
 *
 *     INKLING_PERIOD_S     seconds between captures, 1 to 86400; 0 (default): capture on command only
 *     INKLING_MOTION       send only images that differ from the last one sent by at least this mean absolute
 *                          difference in grey levels; 0 (default): send every image
 *     INKLING_DEEP_SLEEP   1: deep sleep between captures, without receiving commands; 0 (default): stay awake
 *     INKLING_AWAKE_S      with deep sleep: seconds to listen before the first sleep and after each command (10)
 *
 * Commands put off a capture to at most twice the period after the last one, and a sleep by at most ten times
 * INKLING_AWAKE_S in total. */
#ifndef INKLING_WATCH_H
#define INKLING_WATCH_H

#include <stdint.h>

#ifndef INKLING_PERIOD_S
#define INKLING_PERIOD_S 0
#endif
#ifndef INKLING_MOTION
#define INKLING_MOTION 0
#endif
#ifndef INKLING_DEEP_SLEEP
#define INKLING_DEEP_SLEEP 0
#endif
#ifndef INKLING_AWAKE_S
#define INKLING_AWAKE_S 10
#endif

#if INKLING_CAMERA && INKLING_PERIOD_S > 0

/* Call once, first, if the encoder works. Without this call the other functions do nothing. */
void watch_start(void);

/* Call after each command: the next capture is a full period away, within the limit above, so that the next command can
 * refer to the same image. With deep sleep, the board keeps listening for INKLING_AWAKE_S. */
void watch_command_done(void);

/* Capture when due, and sleep. Call often, while the encoder's input is free. */
void watch_step(void);

/* Return the number of the next unsolicited image, counted since the last reset, through deep sleep. Its low 5 bits are
 * the sequence number. */
uint32_t watch_counter(void);

#else

static inline void watch_start(void) {}

static inline void watch_command_done(void) {}

static inline void watch_step(void) {}

static inline uint32_t watch_counter(void) {
    return 0;
}

#endif

#endif
