#include "line.h"

#include "board.h"
#include "counter.h"
#include "encoder.h"
#include "secure.h"
#include "wire/bytes.h"
#include "wire/crc.h"
#include "wire/frame.h"
#include "wire/secure/seal.h"

#define PIECE_BYTES 64u

_Static_assert(INKLING_INPUT_BYTES <= 0xFFFFu, "PIXELS has a 16-bit length");
_Static_assert(INKLING_DEVICE >= 0 && INKLING_DEVICE < WIRE_ANY_DEVICE, "INKLING_DEVICE must be 0..254");

uint8_t line_device = INKLING_DEVICE;

/* A feature frame is longer than an answer frame, and a secured one longer than a plain one. */
static uint8_t frame[WIRE_SECURED_FEATURE_BYTES(INKLING_CLASS_COUNT, INKLING_SYMBOL_COUNT, INKLING_BITS_PER_SYMBOL)];
#if INKLING_GATEWAY
#define LONGEST_REPLY (WIRE_PACKET_HEAD_BYTES + 255u) /* RADIO_MAX_BYTES */
#else
#define LONGEST_REPLY WIRE_INFO_BYTES
#endif
static uint8_t reply[WIRE_REPLY_BYTES(LONGEST_REPLY)];

static uint32_t send_frame(size_t length) {
    const uint32_t ready = board_cycles();
    board_write(frame, length);
    return ready;
}

uint32_t line_send_feature(uint32_t number, uint8_t chunk, const int8_t *outputs) {
    const struct wire_result written = secure_feature_frame(frame, sizeof frame, number, chunk, outputs, true);
    return send_frame(written.length);
}

uint32_t line_send_answer(uint32_t number, struct wire_answer answer) {
    const struct wire_result written = secure_answer_frame(frame, sizeof frame, number, answer, true);
    return send_frame(written.length);
}

static void send(uint8_t opcode, uint8_t request, const uint8_t *data, size_t length) {
    const struct wire_result written =
        wire_reply_frame(reply, sizeof reply, line_device, inkling_model.number, opcode, request, data, length);
    board_write(reply, written.length);
}

void line_send_reply(uint8_t request, uint8_t opcode, const uint8_t *data, size_t length) {
    send(opcode | WIRE_REPLY_BIT, request, data, length);
}

/* Sent in pieces, to need no second buffer for the pixels. */
void line_send_pixels(uint8_t request, const int8_t *input) {
    uint8_t piece[PIECE_BYTES];
    uint32_t crc = wire_reply_start(piece, line_device, inkling_model.number, WIRE_PIXELS | WIRE_REPLY_BIT, request,
                                    INKLING_INPUT_BYTES);
    board_write(piece, WIRE_REPLY_START_BYTES);
    for (uint32_t next = 0; next < INKLING_INPUT_BYTES;) {
        size_t count = 0;
        while (count < sizeof piece && next < INKLING_INPUT_BYTES) {
            piece[count++] = (uint8_t)(input[next++] ^ -128);
        }
        crc = wire_crc32(crc, piece, count);
        board_write(piece, count);
    }
    wire_put_u32(piece, crc);
    board_write(piece, sizeof crc);
}

void line_send_error(uint8_t request, uint8_t failed_opcode, uint8_t code) {
    uint8_t data[WIRE_NOT_AUTHENTIC_BYTES];
    if (code == WIRE_ERROR_NOT_AUTHENTIC) {
        wire_not_authentic_write(data, failed_opcode, counter_peek());
        send(WIRE_ERROR, request, data, WIRE_NOT_AUTHENTIC_BYTES);
    } else {
        wire_error_write(data, code, failed_opcode);
        send(WIRE_ERROR, request, data, WIRE_ERROR_BYTES);
    }
}
