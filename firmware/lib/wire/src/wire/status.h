/* Constants of status: docs/SPEC.md. */
#ifndef INKLING_WIRE_STATUS_H
#define INKLING_WIRE_STATUS_H

/* Why a board started. */
enum wire_reset {
    WIRE_RESET_UNKNOWN = 0,
    WIRE_RESET_POWER_ON = 1,
    WIRE_RESET_PIN = 2,
    WIRE_RESET_SOFTWARE = 3,
    WIRE_RESET_WATCHDOG = 4,
    WIRE_RESET_BROWN_OUT = 5,
    WIRE_RESET_CRASH = 6,     /* fault handler, panic, stack overflow */
    WIRE_RESET_DEEP_SLEEP = 7 /* woke from it by the timer */
};

#endif
