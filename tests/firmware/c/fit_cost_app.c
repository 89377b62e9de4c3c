/* Test application for a bare port: cycles to scale a QVGA image in RGB565 to 32 x 32. Answers 'C' (colour) and 'G'
 * (grey) in decimal. */
#include <stdint.h>

#include "../../firmware/lib/camera/fit.c"
#include "answer.h"
#include "app.h"
#include "board.h"

#define SIDE 32u

static const uint8_t frame[320u * 240u * 2u] = {0x12, 0x34};

static uint8_t target_pixels[SIDE * SIDE * 3u];
static uint32_t target_sums[SIDE * 3u];

static uint32_t cycles(uint8_t channels) {
    const struct camera_image image = {frame, 320u, 240u, CAMERA_RGB565};
    const struct fit_target target = {target_pixels, SIDE, SIDE, channels, target_sums};
    const uint32_t start = board_cycles();
    fit_crop(&image, &target);
    return board_cycles() - start;
}

void app_start(void) {}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'C') {
        answer(cycles(3));
    } else if (byte == 'G') {
        answer(cycles(1));
    } else if (byte == 0x1A) { /* start of a command: the emulator checks that the board responds */
        answer(1);
    }
    board_wait();
}
