/* Camera of an AI Thinker ESP32-CAM (OV2640), by Espressif's driver. */
#include "camera.h"

#include "../common/core.h"
#include "driver.h"
#include "inkling_model.h"

namespace {

/* Pins of the camera connector, as in several public examples for the board. */
constexpr gpio_num_t POWER_DOWN = GPIO_NUM_32;
constexpr int NOT_CONNECTED = -1;

constexpr size_t MAX_WIDTH = 640;
constexpr size_t MAX_HEIGHT = 480;

/* Frames until exposure and white balance have settled after power-up. */
constexpr int FRAMES_TO_SETTLE = 10;

constexpr bool GREY = INKLING_CHANNELS == 1u;

/* The smallest frame that is at least as large as the encoder's input, so that pixels are averaged, not repeated. All
 * these sizes show the sensor's whole field of view. */
constexpr bool fits(unsigned width, unsigned height) {
    return INKLING_WIDTH <= width && INKLING_HEIGHT <= height;
}

static_assert(fits(MAX_WIDTH, MAX_HEIGHT), "the bundle's input is larger than this camera's largest frame, 640 x 480");
constexpr framesize_t FRAME_SIZE = fits(160, 120) ? FRAMESIZE_QQVGA : fits(320, 240) ? FRAMESIZE_QVGA : FRAMESIZE_VGA;

constexpr pixformat_t PIXEL_FORMAT = GREY ? PIXFORMAT_GRAYSCALE : PIXFORMAT_RGB565;
constexpr size_t PIXEL_BYTES = GREY ? 1 : 2;

camera_fb_t *frame; /* null: no frame is in use */

camera_config_t settings() {
    camera_config_t config = {};
    config.pin_pwdn = POWER_DOWN;
    config.pin_reset = NOT_CONNECTED;
    config.pin_xclk = 0;
    config.pin_sccb_sda = 26;
    config.pin_sccb_scl = 27;
    config.pin_d0 = 5;
    config.pin_d1 = 18;
    config.pin_d2 = 19;
    config.pin_d3 = 21;
    config.pin_d4 = 36;
    config.pin_d5 = 39;
    config.pin_d6 = 34;
    config.pin_d7 = 35;
    config.pin_vsync = 25;
    config.pin_href = 23;
    config.pin_pclk = 22;
    config.xclk_freq_hz = 20000000;
    config.ledc_timer = LEDC_TIMER_0;
    config.ledc_channel = LEDC_CHANNEL_0;
    config.pixel_format = PIXEL_FORMAT;
    config.frame_size = FRAME_SIZE;
    config.fb_count = 1;
    config.fb_location = CAMERA_FB_IN_PSRAM;
    config.grab_mode = CAMERA_GRAB_WHEN_EMPTY;
    return config;
}

/* A frame that was cut short, or is not as the driver was set, would be read beyond its end. */
bool is_whole(const camera_fb_t &taken) {
    return taken.buf != nullptr && taken.format == PIXEL_FORMAT && taken.width <= MAX_WIDTH &&
           taken.height <= MAX_HEIGHT && taken.len >= taken.width * taken.height * PIXEL_BYTES;
}

/* Returns false if the driver got no frame, after 4 s. */
bool drop_frame() {
    camera_fb_t *stale = esp_camera_fb_get();
    if (stale == nullptr) {
        return false;
    }
    esp_camera_fb_return(stale);
    return true;
}

bool settle() {
    for (int i = 0; i < FRAMES_TO_SETTLE; i++) {
        if (!drop_frame()) {
            return false;
        }
    }
    return true;
}

} // namespace

bool camera_start() {
    rtc_gpio_hold_dis(POWER_DOWN);
    const camera_config_t config = settings();
    if (esp_camera_init(&config) != ESP_OK || !settle()) {
        camera_stop();
        return false;
    }
    return true;
}

bool camera_take(struct camera_image *image) {
    if (!drop_frame()) { /* the only buffer was filled when it became free, perhaps long ago */
        return false;
    }
    frame = esp_camera_fb_get();
    if (frame == nullptr || !is_whole(*frame)) {
        camera_release();
        return false;
    }
    image->pixels = frame->buf;
    image->width = static_cast<uint16_t>(frame->width);
    image->height = static_cast<uint16_t>(frame->height);
    image->format = GREY ? CAMERA_GREY : CAMERA_RGB565;
    return true;
}

void camera_release() {
    if (frame != nullptr) {
        esp_camera_fb_return(frame);
        frame = nullptr;
    }
}

void camera_stop() {
    camera_release();
    esp_camera_deinit();
    pinMode(POWER_DOWN, OUTPUT);
    digitalWrite(POWER_DOWN, HIGH);
    rtc_gpio_hold_en(POWER_DOWN); /* otherwise the pin floats in deep sleep, and the camera may wake */
}
