#include "line.h"

#include "board.h"
#include "encoder.h"
#include "wire/frame.h"

_Static_assert(INKLING_DEVICE >= 0 && INKLING_DEVICE < WIRE_ANY_DEVICE, "a board's number is 0..254");

uint8_t line_device = INKLING_DEVICE;

static uint8_t feature[WIRE_FEATURE_BYTES(INKLING_SYMBOLS, INKLING_BITS_PER_SYMBOL)];
#if INKLING_GATEWAY
#define LONGEST_REPLY (WIRE_PACKET_HEAD_BYTES + 255u) /* a radio's longest packet */
#else
#define LONGEST_REPLY WIRE_INFO_BYTES
#endif
static uint8_t reply[WIRE_REPLY_BYTES(LONGEST_REPLY)];

uint32_t line_send_feature(uint8_t request, uint8_t chunk, const int8_t *latent) {
    const struct wire_result frame = wire_feature_frame(feature, sizeof feature, &inkling_model, line_device,
                                                        request & 31u, chunk, latent, true);
    const uint32_t ready = board_cycles();
    board_write(feature, frame.length);
    return ready;
}

static void send(uint8_t opcode, uint8_t request, const uint8_t *data, size_t length) {
    const struct wire_result frame = wire_reply_frame(reply, sizeof reply, line_device, inkling_model.number,
                                                      opcode, request, data, length);
    board_write(reply, frame.length);
}

void line_send_reply(uint8_t request, uint8_t opcode, const uint8_t *data, size_t length) {
    send(opcode | WIRE_REPLY_BIT, request, data, length);
}

void line_send_error(uint8_t request, uint8_t failed_opcode, uint8_t code) {
    uint8_t data[WIRE_ERROR_BYTES];
    wire_error_write(data, code, failed_opcode);
    send(WIRE_ERROR, request, data, sizeof data);
}
