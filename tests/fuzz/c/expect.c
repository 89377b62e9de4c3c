#include "expect.h"

#include <string.h>

#include "answers.h"
#include "encoder.h"
#include "fake_camera.h"
#include "key.h"

static uint8_t mode;
static uint8_t threshold;

#define HAS_ANSWER (INKLING_CLASS_COUNT > 0u)
#define HAS_FEATURES (INKLING_SYMBOL_COUNT > 0u)

void expect_start(void) {
    mode = HAS_ANSWER ? (HAS_FEATURES ? 2 : 1) : 0;
    threshold = inkling_model.threshold;
}

static bool is_sealed(uint8_t opcode, size_t length) {
    return (opcode & 0xC0u) == SEALED && length >= SEAL_BYTES;
}

size_t expect_max_data(uint8_t opcode, size_t length) {
    return INKLING_INPUT_BYTES + 2u + (is_sealed(opcode, length) ? SEAL_BYTES : 0u);
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
    if (length != INKLING_INPUT_BYTES + 2u) {
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

/* The key's bytes pass through the encoder's input. */
void expect_wiped(uint8_t opcode, size_t length) {
    static const int8_t zeros[14];
    require((opcode & ~SEALED) != 9u || length <= 2u || memcmp(encoder_input(), zeros, sizeof zeros) == 0,
            "no key left");
}

static void expect_key(uint8_t request, const uint8_t *data, size_t length) {
    if (length != 0 && length != 16u) {
        answers_error(6, 9, request);
    } else if (length != 0 && !key_set(data)) {
        answers_error(19, 9, request);
    } else {
        answers_key(request);
    }
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
        case 9:
            expect_key(request, data, length);
            break;
        default:
            answers_error(5, opcode, request);
    }
}

/* Return true if the key lets the command pass; otherwise check for the error. A sealed one becomes a plain one. */
static bool check_seal(uint8_t *opcode, uint8_t request, const uint8_t *data, size_t length) {
    uint8_t seal[SEAL_BYTES];
    if ((*opcode & 0xC0u) != SEALED) {
        const bool needs = *opcode == 2u || *opcode == 4u || *opcode == 5u || (*opcode == 9u && length == 16u);
        if (needs) {
            answers_not_authentic(*opcode, request);
        }
        return !needs;
    }
    if (!is_sealed(*opcode, length)) {
        answers_error(6, *opcode, request);
        return false;
    }
    if (key_is_lost()) {
        answers_error(19, *opcode, request);
        return false;
    }
    key_seal(seal, key_counter(), *opcode, request, data, length - SEAL_BYTES);
    if (memcmp(seal, data + length - SEAL_BYTES, SEAL_BYTES) != 0) {
        answers_not_authentic(*opcode, request);
        return false;
    }
    *opcode &= (uint8_t)~SEALED;
    if ((*opcode == 2u || *opcode == 4u) && !key_take()) {
        answers_error(19, *opcode, request);
        return false;
    }
    return true;
}

void expect_reply(uint8_t opcode, uint8_t request, const uint8_t *data, size_t length) {
    const size_t sealed = is_sealed(opcode, length) ? SEAL_BYTES : 0u;
    const uint8_t sent = opcode;
    if (!key_is_set() || check_seal(&opcode, request, data, length)) {
        expect_answer(opcode, request, data, length - sealed);
    } else {
        require(fake_camera_last_use() == CAMERA_UNUSED, "no use of the camera");
    }
    expect_wiped(sent, length - sealed);
}
