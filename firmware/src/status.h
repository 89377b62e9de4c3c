/* Status frames: what the board reports about itself, unasked, at boot and then periodically. A node with a radio sends
 * them by radio, every other board on its line. Build flag:
 *
 *     INKLING_STATUS_S    seconds between two status frames, 1 to 65535; 0: none. Default: 3600 by radio, 60 on a line
 *
 * They yield to everything else. On a line, a status frame waits for a second of silence after the last byte received
 * or the start, and 50 ms more per device number, so that boards of one line start in turn and an answer in progress is
 * not disturbed. By radio, the first one waits for one air time per device number, and each one until the duty cycle
 * allows the longest image right after it. A frame that is late by a whole period waits for neither. */
#ifndef INKLING_STATUS_H
#define INKLING_STATUS_H

#include <stdint.h>

#ifndef INKLING_STATUS_S
#if INKLING_RADIO && !INKLING_GATEWAY
#define INKLING_STATUS_S 3600
#else
#define INKLING_STATUS_S 60
#endif
#endif

#if INKLING_STATUS_S > 0

/* Call once, first. Restores the times after a deep sleep. */
void status_start(void);

/* Send a status frame if one is due. Call often, between commands. silent_micros: time since the last byte received on
 * the line, or since the start. */
void status_step(uint32_t silent_micros);

/* Call right before board_sleep(), with the same number of seconds. */
void status_sleep(uint32_t seconds);

/* Call when board_sleep() returns. */
void status_wake(void);

#else

static inline void status_start(void) {}

static inline void status_step(uint32_t silent_micros) {
    (void)silent_micros;
}

static inline void status_sleep(uint32_t seconds) {
    (void)seconds;
}

static inline void status_wake(void) {}

#endif

#endif
