/* Duty cycle: how much air time is left, so that no hour has more of it than the law allows.
 *
 * A token bucket (Turner 1986): it holds up to a tenth of the hour's allowance and is refilled at nine tenths of the
 * duty cycle. Any window of an hour can so take one full bucket and an hour's refill, 1/10 + 9/10 of the allowance,
 * wherever it begins. What that costs: after a burst, a tenth of the rate; a packet longer than the bucket never goes.
 */
#ifndef INKLING_DUTY_H
#define INKLING_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct duty {
    uint64_t left;           /* in 1/10000 of a microsecond, so that every microsecond that passes counts */
    uint32_t updated_micros; /* when that was so, by the board's clock */
    uint16_t permille;       /* the duty cycle */
};

/* An empty bucket: the hour before is not known, and with a full one each reset would add a burst to the hour.
 * At 1000 permille, which nothing can exceed, a full one. permille: 10 for EU868's 1 % (ETSI EN 300
 * 220-2), at most 1000. */
void duty_start(struct duty *duty, uint16_t permille, uint32_t now_micros);

/* The board slept for so long, and its clock starts again: it reads now_micros. */
void duty_slept(struct duty *duty, uint32_t seconds, uint32_t now_micros);

/* Refills the bucket. If the clock wraps between two calls, 71 minutes count for nothing: call it more often. */
void duty_update(struct duty *duty, uint32_t now_micros);

/* Air time that may be used now, microseconds, as of the last call with the time. */
uint32_t duty_left_micros(const struct duty *duty);

/* Takes the air time of a packet that is about to be sent out of the bucket. False, and nothing taken, when there is
 * too little. */
bool duty_take(struct duty *duty, uint32_t air_micros);

#ifdef __cplusplus
}
#endif

#endif
