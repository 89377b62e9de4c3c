/* Status: what a board reports about itself, unasked, in a reply on the line or by radio. docs/SPEC.md defines the
 * bytes. */
#ifndef INKLING_WIRE_STATUS_H
#define INKLING_WIRE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/reply.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_STATUS_BYTES 20u
#define WIRE_STATUS_PACKET_BYTES (WIRE_REPLY_BYTES(WIRE_STATUS_BYTES) - WIRE_SYNC_BYTES) /* by radio, without sync */
#define WIRE_AIR_NOT_LIMITED 0xFFFFu

/* Causes of the last reset. */
enum wire_reset {
    WIRE_RESET_UNKNOWN = 0,
    WIRE_RESET_POWER_ON = 1,
    WIRE_RESET_PIN = 2,
    WIRE_RESET_SOFTWARE = 3,
    WIRE_RESET_WATCHDOG = 4,
    WIRE_RESET_BROWN_OUT = 5,
    WIRE_RESET_CRASH = 6, /* fault handler, panic, stack overflow */
    WIRE_RESET_DEEP_SLEEP = 7
};

/* Data of STATUS. */
struct wire_board_status {
    uint32_t counter;     /* number of the next unsolicited image; the low 5 bits are its sequence number */
    uint32_t uptime_s;    /* since power-up or reset, deep sleep included */
    uint32_t boots;       /* 0 = unknown */
    uint8_t reset_cause;  /* enum wire_reset */
    bool gateway;         /* only receives by radio */
    uint8_t mode;         /* enum wire_mode, 0..7 */
    uint8_t threshold;    /* 0..15 */
    uint16_t battery_mv;  /* 0 = unknown */
    uint16_t air_left_cs; /* hundredths of a second that the duty cycle still allows; WIRE_AIR_NOT_LIMITED */
    uint16_t period_s;    /* seconds to the next status frame */
};

void wire_status_write(uint8_t data[WIRE_STATUS_BYTES], const struct wire_board_status *status);

#ifdef __cplusplus
}
#endif

#endif
