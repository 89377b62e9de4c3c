/* Duty cycle limiter: keeps the air time within any hour below the legal limit.
 *
 * A token bucket (Turner 1986) holds up to a tenth of an hour's allowance and refills at nine tenths of the duty cycle.
 * Any hour therefore sees at most one full bucket plus an hour's refill: 1/10 + 9/10 of the allowance. The cost is a
 * tenth of the rate after a burst, and that a packet longer than the bucket is never sent. */
#ifndef INKLING_DUTY_H
#define INKLING_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct duty {
    uint64_t left;           /* in 1/10000 microseconds, so that each elapsed microsecond counts */
    uint32_t updated_micros; /* board time of the last refill */
    uint16_t permille;       /* the duty cycle */
};

/* Start with an empty bucket: the hour before is unknown, and with a full one each reset would add a burst. At 1000
 * permille (no limit) the bucket starts full. permille: 1..1000; 10 for EU868's 1 % (ETSI EN 300 220-2). */
void duty_start(struct duty *duty, uint16_t permille, uint32_t now_micros);

/* Account for a sleep of this many seconds, after which the board's clock restarted and reads now_micros. */
void duty_slept(struct duty *duty, uint32_t seconds, uint32_t now_micros);

/* Refill the bucket. Call more often than the clock wraps (71 minutes), or that time is not counted. */
void duty_update(struct duty *duty, uint32_t now_micros);

/* Return the air time available at the last update, in microseconds. */
uint32_t duty_left_micros(const struct duty *duty);

/* Return the air time of a full bucket, in microseconds. */
uint32_t duty_full_micros(const struct duty *duty);

/* Take a packet's air time out of the bucket. Returns false, and takes nothing, if too little is left. */
bool duty_take(struct duty *duty, uint32_t air_micros);

#ifdef __cplusplus
}
#endif

#endif
