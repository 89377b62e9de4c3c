/* Sending end of a radio link (INKLING_RADIO=1): sends feature frames as LoRa packets, within the duty cycle. Fails on
 * boards without a radio and on gateways, which only receive. */
#ifndef INKLING_NODE_H
#define INKLING_NODE_H

#include <stdint.h>

#include "wire/control.h"
#include "wire/reply.h"

struct node_report {
    struct wire_radio_report sent;
    uint32_t ready_cycles; /* board_cycles() when the packet was ready to send */
};

#if INKLING_RADIO && !INKLING_GATEWAY

/* Call once, first. Restores the duty cycle's state after a deep sleep. */
void node_start(void);

/* Update the duty cycle. Call more often than board_micros() wraps (every 71 minutes). */
void node_step(void);

/* Check that this chunk, or WIRE_LONGEST_PREFIX, could be sent now, before an image is encoded for it. Returns
 * WIRE_ERROR_NONE, _BAD_ARGUMENT (no such chunk, or none that fits a packet), _RADIO (no response) or _AIR_TIME. */
enum wire_error node_check(uint8_t chunk);

/* Send a chunk; sequence: 0..31. Returns WIRE_ERROR_NONE and the report once the packet has been sent; otherwise an
 * error as for node_check(). */
enum wire_error node_send(uint8_t sequence, uint8_t chunk, const int8_t *latent, struct node_report *report);

/* Call right before board_sleep(), with the same number of seconds. */
void node_sleep(uint32_t seconds);

/* Call when board_sleep() returns, to count sleeps longer than the clock's range. */
void node_wake(void);

#else

static inline void node_start(void) {}

static inline void node_step(void) {}

static inline enum wire_error node_check(uint8_t chunk) {
    (void)chunk;
    return WIRE_ERROR_RADIO;
}

static inline enum wire_error node_send(uint8_t sequence, uint8_t chunk, const int8_t *latent,
                                        struct node_report *report) {
    (void)sequence;
    (void)latent;
    *report = (struct node_report){0};
    return node_check(chunk);
}

static inline void node_sleep(uint32_t seconds) {
    (void)seconds;
}

static inline void node_wake(void) {}

#endif

#endif
