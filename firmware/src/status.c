#include "status.h"

_Static_assert(INKLING_STATUS_S >= 0 && INKLING_STATUS_S <= 65535, "INKLING_STATUS_S must be 0..65535 (18 hours)");

#if INKLING_STATUS_S > 0

#include <stdbool.h>

#include "board.h"
#include "counter.h"
#include "line.h"
#include "mode.h"
#include "node.h"
#include "secure.h"
#include "stopwatch.h"
#include "watch.h"
#include "wire/status.h"

#define SILENCE_MICROS 1000000u
#define TURN_MICROS 50000u /* at 9600 baud, a status frame takes 42 ms */
#define MAX_PERIOD_S 65535u

#if INKLING_RADIO && !INKLING_GATEWAY
#define BY_RADIO 1
#else
#define BY_RADIO 0
#endif

#if INKLING_RADIO && INKLING_GATEWAY
#define GATEWAY true
#else
#define GATEWAY false
#endif

static BOARD_RETAINED struct stopwatch uptime;
static BOARD_RETAINED struct stopwatch since; /* the last status frame */
static BOARD_RETAINED uint32_t slept_s;

void status_start(void) {
    if (board_woke()) {
        status_wake();
        return;
    }
    stopwatch_start(&uptime, 0);
    stopwatch_start(&since, INKLING_STATUS_S);
}

void status_sleep(uint32_t seconds) {
    (void)stopwatch_seconds(&uptime);
    (void)stopwatch_seconds(&since);
    slept_s = seconds;
}

void status_wake(void) {
    stopwatch_start(&uptime, uptime.seconds + slept_s);
    stopwatch_start(&since, since.seconds + slept_s);
}

/* A board that sleeps sends when it is awake. */
static uint16_t period_s(void) {
    const uint32_t seconds = INKLING_STATUS_S + (INKLING_DEEP_SLEEP ? INKLING_PERIOD_S : 0u);
    return (uint16_t)(seconds < MAX_PERIOD_S ? seconds : MAX_PERIOD_S);
}

static void write(uint8_t data[WIRE_STATUS_BYTES]) {
    const struct mode mode = mode_get();
    uint32_t counter; /* unique or not */
    (void)counter_next(&counter);
    const struct wire_board_status status = {
        .counter = counter,
        .uptime_s = uptime.seconds,
        .boots = counter_boots(),
        .reset_cause = board_reset_cause(),
        .gateway = GATEWAY,
        .mode = mode.mode,
        .threshold = mode.threshold,
        .battery_mv = board_battery_mv(),
        .air_left_cs = node_air_left_cs(),
        .period_s = period_s(),
    };
    wire_status_write(data, &status);
}

#if BY_RADIO

/* Return true if this board's turn has come: boards that start together have air time at the same moment. */
static bool may_send(uint32_t silent_micros, bool patient) {
    (void)silent_micros;
    (void)patient;
    return stopwatch_micros(&uptime) >= (uint64_t)line_device * node_status_micros();
}

#else

/* Return true if this board's turn has come. A board that woke from deep sleep does not stay awake to wait. */
static bool may_send(uint32_t silent_micros, bool patient) {
    return !patient || board_woke() || silent_micros >= SILENCE_MICROS + line_device * TURN_MICROS;
}

#endif

/* Return false if the frame has to wait for air time. What a radio cannot send, or fails to send, is left out. */
static bool send(bool patient) {
    uint8_t data[WIRE_SECURED_STATUS_BYTES];
    write(data);
    secure_status(data);
    if (BY_RADIO) {
        return node_send_status(data, patient) != WIRE_ERROR_AIR_TIME;
    }
    line_send_reply(0, secure_status_opcode(), data, secure_status_bytes());
    return true;
}

void status_step(uint32_t silent_micros) {
    (void)stopwatch_seconds(&uptime);
    (void)stopwatch_seconds(&since);
    const bool patient = since.seconds < 2u * INKLING_STATUS_S;
    if (since.seconds >= INKLING_STATUS_S && may_send(silent_micros, patient) && send(patient)) {
        stopwatch_start(&since, 0);
    }
}

#endif
