#include "oracle.h"

#include <string.h>

#include "answers.h"
#include "expect.h"
#include "line.h"
#include "reference.h"

static uint8_t received[CONTROL_BYTES(0xFFFFu)];
static size_t count;
static size_t needed; /* bytes needed for the next step */
static unsigned syncs;
static bool counted; /* the sync at received[0] */

void oracle_start(void) {
    count = needed = 0;
    syncs = 0;
    counted = false;
    syncs = 0;
    expect_start();
    answers_start();
}

static void discard(size_t first) {
    needed = 0;
    counted = false;
    count -= first;
    memmove(received, received + first, count);
}

/* Return true if a frame has begun, at received[0]. */
static bool has_begun(void) {
    return count >= SYNC_BYTES && memcmp(received, reference_sync, SYNC_BYTES) == 0;
}

static void find_sync(void) {
    while (!has_begun() && count >= SYNC_BYTES) {
        discard(1);
    }
}

/* Return true if the header, damaged or incomplete, begins like that of a command for this board. */
static bool names_this_board(void) {
    const uint64_t start = reference_number(received + SYNC_BYTES, 2) >> 6;
    return count >= SYNC_BYTES + 2u && (start == (COMMAND << 8 | 255u) || start == (COMMAND << 8 | INKLING_DEVICE));
}

static uint32_t header_word(void) {
    return (uint32_t)reference_number(received + SYNC_BYTES, 3);
}

static bool is_foreign(void) {
    const uint32_t device = header_word() >> 14 & 255u;
    return device != 255u && device != INKLING_DEVICE;
}

/* Set the bytes needed for the next step; return true if fewer have been received. */
static bool wait_for(size_t bytes) {
    needed = bytes;
    return count < bytes;
}

/* Process one complete frame or error; return false if there is none yet. */
static bool process(void) {
    find_sync();
    syncs += has_begun() && !counted;
    counted = has_begun();
    if (wait_for(has_begun() ? START_BYTES : SYNC_BYTES)) {
        return false;
    }
    const uint64_t block = reference_number(received + SYNC_BYTES, HEADER_BYTES);
    if (reference_answer_word(block) >> 34 == ANSWER) {
        discard(START_BYTES);
        return true;
    }
    if (block != reference_codeword(header_word())) {
        if (names_this_board()) {
            answers_error(1, 0, 0);
        }
        discard(SYNC_BYTES);
        return true;
    }
    if (header_word() >> 22 != COMMAND) {
        discard(START_BYTES);
        return true;
    }
    const uint8_t *fixed = received + START_BYTES;
    const uint8_t *data = fixed + FIXED_BYTES;
    if (wait_for(START_BYTES + FIXED_BYTES)) {
        return false;
    }
    const size_t length = (size_t)reference_number(fixed, 2);
    if (!is_foreign() && length > expect_max_data(fixed[2], length)) {
        answers_error(2, fixed[2], fixed[3]);
        discard(START_BYTES + FIXED_BYTES);
        return true;
    }
    if (wait_for(CONTROL_BYTES(length))) {
        return false;
    }
    const uint32_t crc = reference_crc32(received + SYNC_BYTES, HEADER_BYTES + FIXED_BYTES + length);
    if (!is_foreign()) {
        if (reference_number(data + length, CRC32_BYTES) == crc) {
            expect_reply(fixed[2], fixed[3], data, length);
        } else {
            answers_error(3, fixed[2], fixed[3]);
            expect_wiped(fixed[2], length);
        }
    }
    discard(CONTROL_BYTES(length));
    return true;
}

unsigned oracle_read(void) {
    while (count >= needed && process()) {
    }
    return syncs;
}

void oracle_check(void) {
    oracle_read();
    answers_end();
}

uint64_t oracle_limit(void) {
    const bool known = count >= START_BYTES + FIXED_BYTES;
    return 2000000u + (known ? 2000u * reference_number(received + START_BYTES, 2) : 0u);
}

void oracle_byte(uint8_t byte) {
    require(count < sizeof received, "a command of limited length");
    received[count++] = byte;
}

/* Return true if opcode and request of a command for this board have been received. */
static bool is_known(void) {
    return has_begun() && count >= START_BYTES + FIXED_BYTES && !is_foreign();
}

/* Return true if a command for this board has begun that only needs its data. */
static bool is_meant(void) {
    const size_t length = count < START_BYTES + FIXED_BYTES ? 0u : (size_t)reference_number(received + START_BYTES, 2);
    return is_known() && length <= expect_max_data(received[START_BYTES + 2], length);
}

/* Process what was skipped before: the board does so when it reads on. */
static void finish_skipping(void) {
    while (count >= needed && !is_meant() && process()) {
    }
}

void oracle_skip(uint8_t byte) {
    finish_skipping();
    if (!is_meant()) {
        oracle_byte(byte);
    }
}

/* Check for the error that ends a partial command; none if it is for another board. */
static void drop_partial(uint8_t code) {
    if (has_begun() && (count >= START_BYTES ? !is_foreign() : names_this_board())) {
        answers_error(code, is_known() ? received[START_BYTES + 2] : 0, is_known() ? received[START_BYTES + 3] : 0);
    }
    discard(count);
}

void oracle_lost(void) {
    finish_skipping();
    drop_partial(9);
}

void oracle_timeout(void) {
    if (has_begun()) {
        drop_partial(4);
    }
}
