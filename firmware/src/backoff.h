/* Back-off after repeated faults. A board that is restarted by watchdog, crash or brown-out again and again, without a
 * calm time in between, waits before it begins again with what it does unasked: radio reception, camera, writing its
 * counters. It neither floods the air nor wears its flash, and answers commands meanwhile.
 *
 *     faults in a row    1, 2   3      4      5      6      7       8       9 and more
 *     wait               none   1 min  2 min  4 min  8 min  16 min  32 min  1 h */
#ifndef INKLING_BACKOFF_H
#define INKLING_BACKOFF_H

#include <stdbool.h>

#define BACKOFF_CALM_S 600u    /* seconds after the wait, without a fault, that end a row of faults */
#define BACKOFF_CALM_WAKES 16u /* or as many wakings from deep sleep in a row */

/* Count the fault that restarted the board, if it was one. Call once, first. */
void backoff_start(void);

/* Return true when the wait is over. Call often. */
bool backoff_over(void);

#endif
