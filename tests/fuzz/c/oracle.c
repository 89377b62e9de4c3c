#include "oracle.h"

#include <string.h>

#include "answers.h"
#include "encoder.h"
#include "fake_camera.h"
#include "line.h"
#include "reference.h"

#define MAX_DATA (INKLING_INPUT_BYTES + 2u)

static uint8_t received[CONTROL_BYTES(0xFFFFu)];
static size_t count;
static size_t needed; /* bytes needed for the next step */
static unsigned syncs;
static bool counted; /* the sync at received[0] */
static uint8_t mode;
static uint8_t threshold;

#define HAS_ANSWER (INKLING_CLASS_COUNT > 0u)
#define HAS_FEATURES (INKLING_SYMBOL_COUNT > 0u)

void oracle_start(void) {
    count = needed = 0;
    syncs = 0;
    counted = false;
    syncs = 0;
    mode = HAS_ANSWER ? (HAS_FEATURES ? 2 : 1) : 0;
    threshold = inkling_model.threshold;
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

/* Return true if flags and chunk are valid; otherwise check for the error. */
static bool check_head(uint8_t opcode, uint8_t request, const uint8_t *data) {
    const bool by_radio = data[0] & 2u;
    const bool answers = data[0] & 4u && mode == 1u;
    if (data[0] > 7u || (!by_radio && !answers && data[1] >= inkling_model.chunk_count)) {
        answers_error(7, opcode, request);
        return false;
    }
    if (by_radio) {
        answers_error(16, opcode, request); /* by radio: the board has none */
        return false;
    }
    return true;
}

static void expect_input(const uint8_t *pixels) {
    for (size_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        require(encoder_input()[i] == pixels[i] - 128, "the image in the encoder's input");
    }
}

static void expect_image(uint8_t opcode, uint8_t request, const uint8_t *data, const uint8_t *pixels) {
    expect_input(pixels);
    const int8_t *outputs = encoder_run(); /* again: gives the same outputs */
    if (outputs == NULL) {
        answers_error(8, opcode, request);
        return;
    }
    const bool by_mode = data[0] & 4u;
    if (by_mode && (mode == 1u || (mode == 2u && answers_confidence(outputs) >= threshold))) {
        answers_answer(request, outputs);
    } else {
        answers_feature(request, data[1], outputs);
    }
    if (data[0] & 1u) {
        answers_cost(request, opcode);
    }
}

static void expect_run(uint8_t request, const uint8_t *data, size_t length) {
    if (length != MAX_DATA) {
        answers_error(6, 2, request);
    } else if (check_head(2, request, data)) {
        expect_image(2, request, data, data + 2);
    } else {
        expect_input(data + 2); /* refused, but still there for PIXELS and BENCH */
    }
}

static void expect_capture(uint8_t request, const uint8_t *data, size_t length) {
    const enum fake_camera_use use = fake_camera_last_use();
    const bool used = use != CAMERA_UNUSED;
    if (length != 2u) {
        answers_error(6, 4, request);
        require(!used, "no use of the camera");
    } else if (!check_head(4, request, data)) {
        require(!used, "no use of the camera");
    } else if (use == CAMERA_GAVE_IMAGE) {
        expect_image(4, request, data, fake_camera_pixels());
    } else {
        require(used, "use of the camera");
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

static void expect_mode(uint8_t request, const uint8_t *data, size_t length) {
    if (length != 0 && length != 2u) {
        answers_error(6, 7, request);
        return;
    }
    if (length == 2u) {
        if (data[0] > 2u || data[1] > 15u || (data[0] != 0 && !HAS_ANSWER) || (data[0] != 1u && !HAS_FEATURES)) {
            answers_error(7, 7, request);
            return;
        }
        mode = data[0];
        threshold = data[1];
    }
    answers_mode(request, mode, threshold);
}

static void expect_answer(uint8_t opcode, uint8_t request, const uint8_t *data, size_t length) {
    switch (opcode) {
        case 1:
            if (length == 0) {
                answers_info(request, mode, threshold);
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
        case 7:
            expect_mode(request, data, length);
            break;
        default:
            answers_error(5, opcode, request);
    }
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
    if (!is_foreign() && length > MAX_DATA) {
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
            expect_answer(fixed[2], fixed[3], data, length);
        } else {
            answers_error(3, fixed[2], fixed[3]);
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
    return is_known() && reference_number(received + START_BYTES, 2) <= MAX_DATA;
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
