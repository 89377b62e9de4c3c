/* Entry of the fuzzer. An input is a script of operations, because a fuzzer cannot guess the CRC-32 of a valid command.
 * Byte 0 sets the clock, and the writes that the permanent memory takes: 0 to 3, otherwise any number. Byte 1 sets the
 * duration of encoding. The operations follow:
 *
 *     RAW      count, bytes                                            any bytes
 *     WHOLE    device, opcode, request, length, head 0, head 1, fill   a valid command
 *     CUT      as WHOLE, then position (2)                             its start
 *     TAIL     as WHOLE, then position (2)                             its end
 *     FLIPPED  as WHOLE, then position (2)                             with one bit flipped
 *     OTHER    type, then as WHOLE                                     with a header of another type, or an answer
 *     SILENCE  time                                                    in 16 ms; 255: for hours
 *     LOSS     count                                                   bytes are lost, this many bytes later
 *
 * Opcodes 40 to 7F are sealed with the board's key for its next image. Length 250 is too short for a seal; 251
 * to 253 are correct, but the seal has a flipped bit, or is for the image before or after. The application runs after
 * each operation, unless bit 7 is set: bytes are then queued. After the end of the input, all numbers are 0. At the
 * end, after a silence, INFO must be answered. */
#include <limits.h>
#include <string.h>

#include "answers.h"
#include "encoder.h"
#include "key.h"
#include "line.h"
#include "port.h"
#include "reference.h"

enum operation { RAW, WHOLE, CUT, TAIL, FLIPPED, OTHER, SILENCE, LOSS, OPERATIONS };

#define NO_STEP 0x80u
#define HOURS 255u
#define CUT_OFF_MICROS 1000001u

enum { SHORT = 250, WRONG_BIT, EARLIER, LATER }; /* lengths */

static const uint8_t *script;
static size_t script_left;
static uint8_t frame[CONTROL_BYTES(0xFFFFu)];

static uint8_t next(void) {
    if (script_left == 0) {
        return 0;
    }
    script_left--;
    return *script++;
}

static size_t position(size_t size) {
    const size_t high = next();
    return (high << 8 | next()) % size;
}

static void receive(const uint8_t *bytes, size_t count) {
    const size_t room = port_room();
    port_receive(bytes, count < room ? count : room);
}

static bool is_sealed(uint8_t opcode) {
    return (opcode & 0xC0u) == SEALED;
}

/* 0: the opcode's correct length; 1 and 2: off by one. Only one device gets the maximum length, so that few inputs are
 * slow. */
static size_t length_of(uint8_t choice, uint8_t sent, uint8_t device) {
    const uint8_t opcode = is_sealed(sent) ? sent & ~SEALED : sent;
    const size_t correct = opcode == 2u                   ? INKLING_INPUT_BYTES + 2u
                           : opcode == 3u                 ? 1u
                           : opcode == 4u || opcode == 7u ? 2u
                           : opcode == 9u                 ? 16u
                                                          : 0;
    switch (choice) {
        case 0:
            return correct;
        case 1:
            return correct + 1u;
        case 2:
            return correct == 0 ? 0 : correct - 1u;
        case SHORT:
            return SEAL_BYTES - 1u;
        case WRONG_BIT:
        case EARLIER:
        case LATER:
            return correct;
        case 254:
            return device == 254u ? 0xFFFFu : 1000u;
        case 255:
            return 300u;
        default:
            return choice - 3u;
    }
}

/* Write the seal behind the data. choice: of the length. */
static void put_seal(uint8_t choice, uint8_t opcode, uint8_t request, size_t length) {
    uint8_t *data = frame + START_BYTES + FIXED_BYTES;
    const uint32_t counter = key_counter() + (choice == LATER) - (choice == EARLIER);
    key_seal(data + length, counter, opcode, request, data, length);
    data[length + SEAL_BYTES - 1u] ^= choice == WRONG_BIT;
}

static size_t make_frame(uint32_t type, uint8_t device, uint8_t opcode, uint8_t request, uint8_t choice) {
    const size_t data_bytes = length_of(choice, opcode, device);
    const bool sealed = is_sealed(opcode) && choice != SHORT && data_bytes <= 0xFFFFu - SEAL_BYTES;
    const size_t length = data_bytes + (sealed ? SEAL_BYTES : 0u);
    const uint8_t head_0 = next();
    const uint8_t head_1 = next();
    const uint8_t fill = next();
    memcpy(frame, reference_sync, SYNC_BYTES);
    uint8_t *out = frame + SYNC_BYTES;
    out = reference_put(out, reference_header(type, device, request, 0, 0), HEADER_BYTES);
    out = reference_put(out, length, 2);
    *out++ = opcode;
    *out++ = request;
    for (size_t i = 0; i < data_bytes; i++) {
        const uint8_t pixel = fill == 255u ? reference_sync[i % SYNC_BYTES] : (uint8_t)(fill + 29u * i);
        *out++ = i == 0 ? head_0 : i == 1 ? head_1 : pixel;
    }
    if (sealed) {
        put_seal(choice, opcode, request, data_bytes);
        out += SEAL_BYTES;
    }
    const uint32_t crc = reference_crc32(frame + SYNC_BYTES, HEADER_BYTES + FIXED_BYTES + length);
    return (size_t)(reference_put(out, crc, CRC32_BYTES) - frame);
}

/* Replace the frame by an answer frame with some of its fields. */
static size_t make_answer(uint8_t device, uint8_t opcode, uint8_t request) {
    const uint64_t word = (uint64_t)ANSWER << 34 | (uint64_t)device << 26 | (uint64_t)opcode << 9 | request;
    return (size_t)(reference_put(frame + SYNC_BYTES, reference_answer(word), HEADER_BYTES) - frame);
}

static void send_raw(void) {
    uint8_t bytes[255];
    const size_t count = next();
    for (size_t i = 0; i < count; i++) {
        bytes[i] = next();
    }
    receive(bytes, count);
}

static void send_frame(enum operation operation) {
    const uint32_t type = operation == OTHER ? next() % 4u : COMMAND;
    const uint8_t device = next();
    const uint8_t opcode = next();
    const uint8_t request = next();
    size_t size = make_frame(type, device, opcode, request, next());
    if (type == ANSWER) {
        size = make_answer(device, opcode, request);
    }
    size_t first = 0;
    size_t end = size;
    if (operation == CUT) {
        end = position(size);
    } else if (operation == TAIL) {
        first = position(size);
    } else if (operation == FLIPPED) {
        const size_t bit = position(8u * size);
        frame[bit / 8u] ^= (uint8_t)(0x80u >> bit % 8u);
    }
    receive(frame + first, end - first);
}

static void stay_silent(void) {
    const uint8_t time = next();
    if (time == HOURS) {
        port_silence(CUT_OFF_MICROS);
        port_jump(UINT64_C(0x100000000));
    } else {
        port_silence(16000u * time);
    }
}

static void operate(uint8_t byte) {
    const enum operation operation = (byte & ~NO_STEP) % OPERATIONS;
    switch (operation) {
        case RAW:
            send_raw();
            break;
        case SILENCE:
            stay_silent();
            break;
        case LOSS:
            port_lose_after(next());
            break;
        default:
            send_frame(operation);
    }
    if ((byte & NO_STEP) == 0) {
        port_run();
    }
}

static void expect_info(uint8_t request) {
    script_left = 0; /* no data */
    port_receive(frame, make_frame(COMMAND, INKLING_DEVICE, 1, request, 0));
    const unsigned before = answers_count();
    port_run(); /* the oracle checks that the answer is INFO's */
    require(answers_count() == before + 1u, "an answer after a silence");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    script = data;
    script_left = size;
    const uint8_t first = next();
    const uint64_t clock = (uint64_t)first << 24;
    const uint32_t pace = 256u * next();
    port_start(clock, pace * pace / 1024u, first < 4u ? first : UINT_MAX);
    while (script_left > 0 && port_room() > 0) {
        operate(next());
    }
    port_lose_nothing();
    port_silence(CUT_OFF_MICROS);
    expect_info((uint8_t)size);
    return 0;
}
