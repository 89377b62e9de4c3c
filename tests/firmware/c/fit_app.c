/* Test program: scales images under the sanitizers. A case on standard input is seven native 16-bit numbers (height,
 * width, format, the target's height, width and channels, 1 for fit_whole) and the pixels. The target's pixels go to
 * standard output. Every buffer has its exact size, so the sanitizers see any access outside. */
#include <stdio.h>
#include <stdlib.h>

#include "fit.h"

int main(void) {
    uint16_t c[7];
    while (fread(c, sizeof c, 1, stdin) == 1) {
        const size_t per_pixel = c[2] == CAMERA_RGB888 ? 3u : c[2] == CAMERA_RGB565 ? 2u : 1u;
        const size_t in = (size_t)c[0] * c[1] * per_pixel;
        const size_t values = (size_t)c[4] * c[5];
        uint8_t *pixels = malloc(in);
        uint8_t *out = malloc(values * c[3]);
        uint32_t *sums = malloc(values * sizeof *sums);
        const struct camera_image image = {pixels, c[1], c[0], (enum camera_format)c[2]};
        const struct fit_target target = {out, c[3], c[4], (uint8_t)c[5], sums};
        if (fread(pixels, 1, in, stdin) != in || !(c[6] ? fit_whole : fit_crop)(&image, &target)) {
            return 1;
        }
        fwrite(out, 1, values * c[3], stdout);
        free(pixels);
        free(out);
        free(sums);
    }
    return 0;
}
