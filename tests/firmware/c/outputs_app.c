/* Test application for a bare port: the encoder alone. After 'E' and the bytes of an image, int8 as the encoder takes
 * them, it sends the encoder's outputs; after 'S' the result of encoder_start() in decimal. */
#include <stdbool.h>

#include "answer.h"
#include "app.h"
#include "board.h"
#include "encoder.h"

uint8_t line_device; /* which the native port sets */

static bool receiving;
static uint32_t received;

void app_start(void) {}

static void take(uint8_t byte) {
    ((uint8_t *)encoder_input())[received++] = byte;
    if (received == INKLING_INPUT_BYTES) {
        receiving = false;
        board_write((const uint8_t *)encoder_run(), INKLING_OUTPUT_BYTES);
    }
}

void app_step(void) {
    for (int byte = board_read(); byte >= 0; byte = board_read()) {
        if (receiving) {
            take((uint8_t)byte);
        } else if (byte == 'E') {
            receiving = true;
            received = 0;
        } else if (byte == 'S') {
            answer(encoder_start());
        } else if (byte == 0x1A) { /* start of a command: the emulator checks that the board responds */
            answer(1);
        }
    }
    board_wait();
}
