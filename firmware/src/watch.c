#include "watch.h"

#if INKLING_CAMERA && INKLING_PERIOD_S > 0

#include <string.h>

#include "board.h"
#include "capture.h"
#include "encoder.h"
#include "line.h"
#include "motion.h"
#include "node.h"
#include "image.h"

#ifndef INKLING_RADIO
#define INKLING_RADIO 0
#endif

#define MICROS 1000000u

_Static_assert(INKLING_PERIOD_S <= 86400, "a period is a day at the most");
_Static_assert(INKLING_MOTION >= 0 && INKLING_MOTION <= 255, "motion is in grey levels");

static BOARD_RETAINED uint8_t sequence;            /* of the next picture, modulo 32 */
static BOARD_RETAINED uint8_t sent[MOTION_PIXELS]; /* the last picture that went out */
static BOARD_RETAINED bool any_sent;

static uint8_t seen[MOTION_PIXELS];
static bool running;
static bool listening;   /* for commands, before the next deep sleep */
static uint32_t seconds; /* since the last look or command */
static uint32_t counted; /* board_micros() up to which they are counted */

static void count_from(uint32_t start_seconds) {
    counted = board_micros();
    seconds = start_seconds;
}

/* Bit by bit, because board_micros() wraps before a long period ends. */
static void count_seconds(void) {
    const uint32_t more = (board_micros() - counted) / MICROS;
    counted += more * MICROS;
    seconds += more;
}

/* Takes a picture into the encoder's input, as int8, and a thumbnail of it. */
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

/* Whether what is seen is worth sending. */
static bool is_news(void) {
    return INKLING_MOTION == 0 || !any_sent || motion_differs(seen, sent, INKLING_MOTION);
}

/* Encodes the picture and sends it as far as the way out allows. */
static enum wire_error send(void) {
    const enum wire_error error = INKLING_RADIO ? node_check(WIRE_LONGEST_PREFIX) : WIRE_ERROR_NONE;
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const int8_t *latent = encoder_run();
    if (latent == NULL) {
        return WIRE_ERROR_ENGINE;
    }
    if (INKLING_RADIO) {
        struct node_report report;
        return node_send(sequence, WIRE_LONGEST_PREFIX, latent, &report);
    }
    line_send_feature(sequence, 0, latent);
    return WIRE_ERROR_NONE;
}

/* What could not be sent does not count as sent: the next look is compared with the one before it. */
static void look(void) {
    enum wire_error error = take();
    if (error == WIRE_ERROR_NONE) {
        if (!is_news()) {
            return;
        }
        error = send();
    }
    if (error != WIRE_ERROR_NONE) {
        line_send_error(0, WIRE_CAPTURE, (uint8_t)error);
        return;
    }
    memcpy(sent, seen, sizeof sent);
    any_sent = true;
    sequence = (sequence + 1u) & 31u;
}

void watch_start(void) {
    running = true;
    listening = INKLING_DEEP_SLEEP && !board_woke();
    count_from(listening ? 0 : INKLING_PERIOD_S); /* else the first look is now */
}

void watch_command_done(void) {
    listening = INKLING_DEEP_SLEEP;
    count_from(0);
}

void watch_step(void) {
    count_seconds();
    if (!running || seconds < (listening ? INKLING_AWAKE_S : INKLING_PERIOD_S)) {
        return;
    }
    count_from(0);
    look();
    if (INKLING_DEEP_SLEEP) {
        listening = false;
        capture_stop();
        node_sleep(INKLING_PERIOD_S);
        board_sleep(INKLING_PERIOD_S);
        node_wake();
        count_from(INKLING_PERIOD_S); /* the next look is due, however often the clock wrapped meanwhile */
    }
}

#endif
