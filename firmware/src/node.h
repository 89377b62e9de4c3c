/* The sending end of the radio link, with INKLING_RADIO=1: a picture's frame as a LoRa packet, within the duty cycle.
 * Boards without a radio, and gateways, which only listen, refuse. */
#ifndef INKLING_NODE_H
#define INKLING_NODE_H

#include <stdint.h>

#include "wire/control.h"
#include "wire/reply.h"

struct node_report {
    struct wire_radio_report sent;
    uint32_t ready_cycles; /* board_cycles() when the packet was ready to go */
};

#if INKLING_RADIO && !INKLING_GATEWAY

/* Call it once, first: carries the air time over a deep sleep. */
void node_start(void);

/* Call it more often than board_micros() wraps, which is every 71 minutes. */
void node_step(void);

/* Whether a packet with this chunk, or WIRE_LONGEST_PREFIX, could go out now: WIRE_ERROR_NONE, or BAD_ARGUMENT (no such
 * chunk, or none that fits a packet), RADIO (it does not answer), AIR_TIME. Saves the work on a picture that could not
 * be sent. */
enum wire_error node_check(uint8_t chunk);

/* Sends it; sequence: 0..31. Returns what stands in the way, as above, or WIRE_ERROR_NONE with the report filled in
 * when the packet is out. */
enum wire_error node_send(uint8_t sequence, uint8_t chunk, const int8_t *latent, struct node_report *report);

/* Call it right before board_sleep(), with the same time. */
void node_sleep(uint32_t seconds);

/* Call it where board_sleep() returns: what is longer than the clock takes to wrap counts, too. */
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
