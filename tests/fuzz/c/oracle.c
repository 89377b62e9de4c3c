#include "oracle.h"

#include <string.h>

#include "answers.h"
#include "encoder.h"
#include "fake_camera.h"
#include "line.h"
#include "reference.h"

#define MOST_DATA (INKLING_INPUT_BYTES + 2u)

static uint8_t heard[CONTROL_BYTES(0xFFFFu)];
static size_t count;
static size_t needed; /* bytes without which there is nothing to say yet */

void oracle_start(void) {
    count = needed = 0;
    answers_start();
}

static void forget(size_t first) {
    needed = 0;
    count -= first;
    memmove(heard, heard + first, count);
}

/* Whether a frame has begun, at heard[0]. */
static bool begun(void) {
    return count >= SYNC_BYTES && memcmp(heard, reference_sync, SYNC_BYTES) == 0;
}

static void hunt(void) {
    while (!begun() && count >= SYNC_BYTES) {
        forget(1);
    }
}

static uint32_t word(void) {
    return (uint32_t)reference_number(heard + SYNC_BYTES, 3);
}

static bool is_foreign(void) {
    const uint32_t device = word() >> 14 & 255u;
    return device != 255u && device != INKLING_DEVICE;
}

/* Whether flags and chunk are right; if not, the error must have been told. */
static bool good_head(uint8_t opcode, uint8_t request, const uint8_t *data) {
    if (data[0] > 3u || (data[0] < 2u && data[1] >= inkling_model.chunk_count)) {
        answers_error(7, opcode, request);
        return false;
    }
    if (data[0] >= 2u) {
        answers_error(16, opcode, request); /* by radio, which this board has none of */
        return false;
    }
    return true;
}

static void expect_input(const uint8_t *pixels) {
    for (size_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        require(encoder_input()[i] == pixels[i] - 128, "the pixels in the encoder's input");
    }
}

static void expect_picture(uint8_t opcode, uint8_t request, const uint8_t *data, const uint8_t *pixels) {
    expect_input(pixels);
    const int8_t *latent = encoder_run(); /* once more: the same latent */
    if (latent == NULL) {
        answers_error(8, opcode, request);
        return;
    }
    answers_feature(request, data[1], latent);
    if (data[0] == 1u) {
        answers_cost(request, opcode);
    }
}

static void expect_run(uint8_t request, const uint8_t *data, size_t length) {
    if (length != MOST_DATA) {
        answers_error(6, 2, request);
    } else if (good_head(2, request, data)) {
        expect_picture(2, request, data, data + 2);
    } else {
        expect_input(data + 2); /* refused, and there for PIXELS and BENCH all the same */
    }
}

static void expect_capture(uint8_t request, const uint8_t *data, size_t length) {
    const enum lens lens = lens_look();
    const bool asked = lens != LENS_LEFT_ALONE;
    if (length != 2u) {
        answers_error(6, 4, request);
        require(!asked, "a camera left alone");
    } else if (!good_head(4, request, data)) {
        require(!asked, "a camera left alone");
    } else if (lens == LENS_PICTURE) {
        expect_picture(4, request, data, lens_pixels());
    } else {
        require(asked, "a camera that is asked");
        answers_error(15, 4, request);
    }
}

static void expect_pixels(uint8_t request, size_t length) {
    if (length == 0) {
        answers_pixels(request, encoder_input());
    } else {
        answers_error(6, 5, request);
    }
}

static void expect_bench(uint8_t request, const uint8_t *data, size_t length) {
    if (length != 1u) {
        answers_error(6, 3, request);
    } else if (data[0] < 1u || data[0] > 100u) {
        answers_error(7, 3, request);
    } else if (encoder_run() == NULL) {
        answers_error(8, 3, request);
    } else {
        answers_bench(request, data[0]);
    }
}

static void expect_answer(uint8_t opcode, uint8_t request, const uint8_t *data, size_t length) {
    switch (opcode) {
        case 1:
            if (length == 0) {
                answers_info(request);
            } else {
                answers_error(6, 1, request);
            }
            break;
        case 2:
            expect_run(request, data, length);
            break;
        case 3:
            expect_bench(request, data, length);
            break;
        case 4:
            expect_capture(request, data, length);
            break;
        case 5:
            expect_pixels(request, length);
            break;
        default:
            answers_error(5, opcode, request);
    }
}

static bool wait_for(size_t bytes) {
    needed = bytes;
    return count < bytes;
}

/* One thing that has been heard in full; false when there is none yet. */
static bool settle(void) {
    hunt();
    if (wait_for(begun() ? START_BYTES : SYNC_BYTES)) {
        return false;
    }
    if (reference_number(heard + SYNC_BYTES, HEADER_BYTES) != reference_codeword(word())) {
        answers_error(1, 0, 0);
        forget(SYNC_BYTES);
        return true;
    }
    if (word() >> 22 != COMMAND) {
        forget(START_BYTES);
        return true;
    }
    const uint8_t *fixed = heard + START_BYTES;
    const uint8_t *data = fixed + FIXED_BYTES;
    if (wait_for(START_BYTES + FIXED_BYTES)) {
        return false;
    }
    const size_t length = (size_t)reference_number(fixed, 2);
    if (!is_foreign() && length > MOST_DATA) {
        answers_error(2, fixed[2], fixed[3]);
        forget(START_BYTES + FIXED_BYTES);
        return true;
    }
    if (wait_for(CONTROL_BYTES(length))) {
        return false;
    }
    const uint32_t crc = reference_crc32(heard + SYNC_BYTES, HEADER_BYTES + FIXED_BYTES + length);
    if (!is_foreign()) {
        if (reference_number(data + length, CRC32_BYTES) == crc) {
            expect_answer(fixed[2], fixed[3], data, length);
        } else {
            answers_error(3, fixed[2], fixed[3]);
        }
    }
    forget(CONTROL_BYTES(length));
    return true;
}

void oracle_check(void) {
    while (count >= needed && settle()) {
    }
    answers_end();
}

void oracle_byte(uint8_t byte) {
    require(count < sizeof heard, "a command that ends");
    heard[count++] = byte;
}

/* An error that ends what has begun, with what is known of it; in silence if it is for another board. */
static void give_up(uint8_t code) {
    const bool has_header = begun() && count >= START_BYTES;
    const bool known = begun() && count >= START_BYTES + FIXED_BYTES;
    if (!(has_header && is_foreign())) {
        answers_error(code, known ? heard[START_BYTES + 2] : 0, known ? heard[START_BYTES + 3] : 0);
    }
    forget(count);
}

void oracle_lost(void) {
    give_up(9);
}

void oracle_silence(void) {
    if (begun()) {
        give_up(4);
    }
}
