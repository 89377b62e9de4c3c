/* The board's mode: what it sends for an image. Build flags:
 *
 *     INKLING_MODE         0: features; 1: the answer; 2: adaptive, the answer if its confidence level is at least
 *                          the threshold, otherwise features. Default: 2 if the bundle has both an answer head and
 *                          latent heads, otherwise the one that it has
 *     INKLING_THRESHOLD    confidence level, 0..15; default: the bundle's
 *
 * The command MODE changes both until the next reset; they survive deep sleep. */
#ifndef INKLING_MODE_H
#define INKLING_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/answer.h"
#include "wire/control.h"

struct mode {
    uint8_t mode; /* enum wire_mode */
    uint8_t threshold;
};

/* Set the mode as it was built. Call once, first. */
void mode_start(void);

/* Return the present mode. */
struct mode mode_get(void);

/* Set the mode. Returns false, and changes nothing, for a mode that the bundle does not support or a threshold above
 * 15. */
bool mode_set(struct mode mode);

/* Return true if the adaptive mode sends this answer instead of features. */
bool mode_is_sure(struct wire_answer answer);

#endif
