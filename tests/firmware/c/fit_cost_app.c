/* In place of the application, on a bare port: what does it cost to fit a QVGA frame in RGB565? Answers 'C' with the
 * cycles for a colour encoder of 32 x 32, 'G' for a grey one; in decimal. */
#include <stdint.h>

#include "../../firmware/lib/camera/fit.c"
#include "answer.h"
#include "app.h"
#include "board.h"

#define SIDE 32u

static const uint8_t frame[320u * 240u * 2u] = {0x12, 0x34};

static uint32_t cycles(uint8_t channels) {
    static uint8_t pixels[SIDE * SIDE * 3u];
    static uint32_t sums[SIDE * 3u];
    const struct camera_image picture = {frame, 320u, 240u, CAMERA_RGB565};
    const struct fit_target target = {pixels, SIDE, SIDE, channels, sums};
    const uint32_t start = board_cycles();
    fit_crop(&picture, &target);
    return board_cycles() - start;
}

void app_start(void) {}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'C') {
        answer(cycles(3));
    } else if (byte == 'G') {
        answer(cycles(1));
    } else if (byte == 0x1A) { /* how any command starts: the emulator asks whether anyone is there */
        answer(1);
    }
    board_wait();
}
