#include "port.h"

#include <string.h>

#include "answers.h"
#include "app.h"
#include "backoff.h"
#include "board.h"
#include "encoder.h"
#include "fake_camera.h"
#include "key.h"
#include "oracle.h"

#define QUEUE_BYTES 131072u
#define NEVER SIZE_MAX
#define BYTE_MICROS 87u /* 115200 baud */
#define LONGEST_WAIT 200000u
#define TIMEOUT_MICROS 1000000u

static uint8_t queue[QUEUE_BYTES];
static size_t queue_next;
static size_t queue_end;
static size_t lose_after; /* bytes to read before a loss */
static bool dropping;     /* the application knows of the loss and drops what is left */
static bool dropped;      /* it has dropped everything */
static bool busy;         /* it is processing a byte */
static uint64_t now;
static uint64_t last_byte;
static unsigned begun; /* commands so far */
static uint64_t last_begun;
static uint32_t cycle_pace;
static unsigned writes_left; /* of the permanent memory */

void port_start(uint64_t micros, uint32_t pace, unsigned writes) {
    queue_next = queue_end = 0;
    dropping = dropped = busy = false;
    now = last_byte = last_begun = micros;
    begun = 0;
    cycle_pace = pace;
    port_lose_nothing();
    memset(encoder_input(), 0, INKLING_INPUT_BYTES); /* a fuzzer input must not depend on earlier ones */
    fake_camera_start();
    writes_left = writes;
    key_start(writes);
    oracle_start();
    app_start();
}

size_t port_room(void) {
    return QUEUE_BYTES - queue_end;
}

void port_receive(const uint8_t *bytes, size_t count) {
    memcpy(queue + queue_end, bytes, count);
    queue_end += count;
}

void port_lose_after(size_t count) {
    lose_after = count;
}

void port_lose_nothing(void) {
    lose_after = NEVER;
}

void port_run(void) {
    do {
        const size_t before = queue_next;
        app_step();
        require(queue_next == queue_end || queue_next > before, "a step that reads bytes");
    } while (queue_next < queue_end);
    queue_next = queue_end = 0;
}

void port_silence(uint64_t micros) {
    port_run(); /* bytes received before are not part of the silence */
    while (micros > 0) {
        const uint64_t nap = micros < LONGEST_WAIT ? micros : LONGEST_WAIT;
        now += nap;
        micros -= nap;
        port_run();
    }
}

void port_jump(uint64_t micros) {
    now += micros;
}

/* The application has finished what it did before this call. */
static void finish(void) {
    if (busy) {
        last_byte = now;
        busy = false;
    }
    if (dropped) {
        oracle_lost();
        dropped = false;
    }
    const unsigned syncs = oracle_read();
    last_begun = syncs != begun ? now : last_begun;
    begun = syncs;
}

bool board_overrun(void) {
    finish();
    oracle_check();
    if (lose_after != 0) {
        return false;
    }
    port_lose_nothing();
    dropping = true;
    return true;
}

int board_read(void) {
    if (queue_next == queue_end) {
        dropped = dropped || dropping;
        dropping = false;
        return -1;
    }
    const uint8_t byte = queue[queue_next++];
    if (dropping) {
        oracle_skip(byte);
    } else {
        oracle_byte(byte);
        busy = true;
        lose_after -= lose_after != NEVER;
    }
    return byte;
}

void board_write(const uint8_t *bytes, size_t count) {
    now += BYTE_MICROS * count;
    answers_record(bytes, count);
}

void board_wait(void) {
    finish();
    if (now - last_byte > TIMEOUT_MICROS || now - last_begun > oracle_limit()) {
        oracle_timeout();
    }
    oracle_check();
}

void board_sleep(uint32_t seconds) {
    now += UINT64_C(1000000) * seconds;
}

bool board_woke(void) {
    return false;
}

uint32_t board_micros(void) {
    return (uint32_t)now;
}

uint32_t board_cycles(void) {
    now += cycle_pace;
    return (uint32_t)now;
}

uint32_t board_clock_hz(void) {
    return 1000000u;
}

uint32_t board_stack_bytes(void) {
    return 0u;
}

void board_progress(void) {}

void backoff_start(void) {}

bool backoff_over(void) {
    return true;
}

bool board_numbers_read(struct board_numbers *numbers) {
    memset(numbers, 0, sizeof *numbers);
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    (void)numbers;
    const bool written = writes_left > 0u;
    writes_left -= written;
    return written;
}

const char *board_target(void) {
    return "fuzz";
}

uint8_t board_reset_cause(void) {
    return 0u;
}

uint16_t board_battery_mv(void) {
    return 0u;
}
