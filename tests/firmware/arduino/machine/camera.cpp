/* Mock of Espressif's camera driver, backed by a file: see machine.h. Its only frame buffer is filled when it becomes
 * free, so the next frame may be old. */
#include <esp_camera.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

namespace {

camera_fb_t frame;
uint8_t pixels[640 * 480 * 2];
bool taken;

void fill() {
    FILE *file = getenv("INKLING_FRAME") != nullptr ? fopen(getenv("INKLING_FRAME"), "rb") : nullptr;
    memset(pixels, 0, sizeof pixels);
    if (file != nullptr) {
        note("frame %zu", fread(pixels, 1, frame.len, file));
        fclose(file);
    }
}

} // namespace

esp_err_t esp_camera_init(const camera_config_t *config) {
    const struct {
        framesize_t size;
        size_t width;
        size_t height;
    } sizes[] = {{FRAMESIZE_QQVGA, 160, 120}, {FRAMESIZE_QVGA, 320, 240}, {FRAMESIZE_VGA, 640, 480}};
    for (const auto &size : sizes) {
        if (size.size == config->frame_size) {
            frame.width = size.width;
            frame.height = size.height;
        }
    }
    frame.buf = pixels;
    frame.format = config->pixel_format;
    frame.len = frame.width * frame.height * (config->pixel_format == PIXFORMAT_GRAYSCALE ? 1 : 2);
    const char *odd = getenv("INKLING_ODD") != nullptr ? getenv("INKLING_ODD") : "";
    if (strcmp(odd, "cut") == 0) {
        frame.len--;
    } else if (strcmp(odd, "jpeg") == 0) {
        frame.format = PIXFORMAT_JPEG;
    } else if (strcmp(odd, "wide") == 0) {
        frame.width *= 2;
    } else if (strcmp(odd, "huge") == 0) { /* the product of its sides, in 32 bits, is small */
        frame.width = 65536;
        frame.height = 65536;
    } else if (strcmp(odd, "null") == 0) {
        frame.buf = nullptr;
    }
    note("camera %zux%zu %s, power %d, clock %d", frame.width, frame.height,
         config->pixel_format == PIXFORMAT_GRAYSCALE ? "grey" : "rgb565", config->pin_pwdn, config->pin_xclk);
    fill();
    return broken() ? ESP_FAIL : ESP_OK;
}

esp_err_t esp_camera_deinit() {
    note("camera off");
    return ESP_OK;
}

camera_fb_t *esp_camera_fb_get() {
    if (getenv("INKLING_MUTE") != nullptr) {
        note("no frame");
        return nullptr;
    }
    if (taken) {
        return nullptr; /* the only buffer is in use */
    }
    taken = true;
    return &frame;
}

void esp_camera_fb_return(camera_fb_t *) {
    taken = false;
    fill();
}
