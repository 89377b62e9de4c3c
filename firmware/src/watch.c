#include "watch.h"

#if INKLING_CAMERA && INKLING_PERIOD_S > 0

#include <string.h>

#include "board.h"
#include "capture.h"
#include "counter.h"
#include "encoder.h"
#include "image.h"
#include "line.h"
#include "motion.h"
#include "node.h"
#include "secure.h"
#include "send.h"
#include "status.h"
#include "stopwatch.h"

#ifndef INKLING_RADIO
#define INKLING_RADIO 0
#endif

_Static_assert(INKLING_PERIOD_S <= 86400, "INKLING_PERIOD_S must be at most 86400 (a day)");
_Static_assert(INKLING_MOTION >= 0 && INKLING_MOTION <= 255, "INKLING_MOTION must be 0..255 grey levels");

static BOARD_RETAINED uint8_t sent[MOTION_PIXELS]; /* thumbnail of the last image sent */
static BOARD_RETAINED bool any_sent;

static uint8_t seen[MOTION_PIXELS]; /* thumbnail of the last image captured */
static bool running;
static bool listening; /* for commands, before the next deep sleep */

static struct stopwatch quiet;  /* since the last capture or command */
static struct stopwatch waited; /* since the last capture */

static void count_from(uint32_t seconds) {
    stopwatch_start(&quiet, seconds);
    stopwatch_start(&waited, seconds);
}

/* Return true if the next capture is due. Each command puts it off, but not forever. */
static bool is_due(void) {
    const uint32_t quiet_s = listening ? INKLING_AWAKE_S : INKLING_PERIOD_S;
    const uint32_t longest_s = listening ? 10u * INKLING_AWAKE_S : 2u * INKLING_PERIOD_S;
    const bool long_enough = stopwatch_seconds(&waited) >= longest_s;
    return stopwatch_seconds(&quiet) >= quiet_s || long_enough;
}

/* Capture an image into the encoder's input, as int8, and make its thumbnail. */
static enum wire_error take(void) {
    const enum wire_error error = capture_take();
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const struct camera_image input = {
        .pixels = (const uint8_t *)encoder_input(),
        .width = INKLING_WIDTH,
        .height = INKLING_HEIGHT,
        .format = INKLING_CHANNELS == 1u ? CAMERA_GREY : CAMERA_RGB888,
    };
    motion_thumbnail(&input, seen);
    image_to_int8();
    return WIRE_ERROR_NONE;
}

/* Return true if the captured image is worth sending. */
static bool has_changed(void) {
    return INKLING_MOTION == 0 || !any_sent || motion_differs(seen, sent, INKLING_MOTION);
}

/* Encode the image and send what the mode has it: the answer, or features: all of them, or by radio the prefix that
 * the air time allows. */
static enum wire_error send(void) {
    uint32_t number;
    enum wire_error error = secure_next_number(&number);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const struct send_request request = {
        .number = number,
        .chunk = INKLING_RADIO ? WIRE_LONGEST_PREFIX : 0u,
        .by_radio = INKLING_RADIO,
        .by_mode = true,
    };
    error = send_check(&request);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const int8_t *outputs = encoder_run();
    if (outputs == NULL) {
        return WIRE_ERROR_ENGINE;
    }
    struct send_result result;
    return send_image(&request, outputs, &result);
}

/* An image that could not be sent is not the next one's reference for motion. A radio that reports a failure may have
 * sent: with the same number, the host would take the next image for a copy. */
static void capture_and_send(void) {
    enum wire_error error = take();
    if (error == WIRE_ERROR_NONE) {
        if (!has_changed()) {
            return;
        }
        error = send();
    }
    if (error != WIRE_ERROR_NONE) {
        line_send_error(0, WIRE_CAPTURE, (uint8_t)error);
    } else {
        memcpy(sent, seen, sizeof sent);
        any_sent = true;
    }
    if (error == WIRE_ERROR_NONE || error == WIRE_ERROR_RADIO) {
        counter_advance();
    }
}

void watch_start(void) {
    running = true;
    listening = INKLING_DEEP_SLEEP && !board_woke();
    count_from(listening ? 0 : INKLING_PERIOD_S); /* otherwise the first capture is due now */
}

void watch_command_done(void) {
    listening = INKLING_DEEP_SLEEP;
    stopwatch_start(&quiet, 0);
}

void watch_step(void) {
    if (!is_due() || !running) {
        return;
    }
    count_from(0);
    capture_and_send();
    if (INKLING_DEEP_SLEEP) {
        listening = false;
        capture_stop();
        node_sleep(INKLING_PERIOD_S);
        status_sleep(INKLING_PERIOD_S);
        board_sleep(INKLING_PERIOD_S);
        node_wake();
        status_wake();
        count_from(INKLING_PERIOD_S); /* the next capture is due, even if the clock wrapped meanwhile */
    }
}

#endif
