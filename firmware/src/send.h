/* Sending of an encoded image: features or the board's answer, on the serial line or by radio. */
#ifndef INKLING_SEND_H
#define INKLING_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/control.h"
#include "wire/reply.h"

struct send_request {
    uint32_t number; /* of the image; plain frames carry its low 5 bits */
    uint8_t chunk;   /* of the features; by radio also WIRE_LONGEST_PREFIX */
    bool by_radio;
    bool by_mode; /* features or the answer, as the board's mode has it; otherwise features */
};

struct send_result {
    uint32_t ready_cycles;             /* board_cycles() when the frame was ready to send */
    struct wire_radio_report by_radio; /* of a frame sent by radio */
};

/* Check that the request can be met now, before an image is encoded for it. Returns WIRE_ERROR_NONE, _BAD_ARGUMENT (no
 * such chunk), or an error of the radio as for node_check_features(). */
enum wire_error send_check(const struct send_request *request);

/* Send one frame for the encoder's outputs. Returns WIRE_ERROR_NONE, or an error as for send_check(). In the adaptive
 * mode, a radio whose air time allows no features sends the answer. */
enum wire_error send_image(const struct send_request *request, const int8_t *outputs, struct send_result *result);

#endif
