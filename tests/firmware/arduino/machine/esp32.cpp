/* Mock of the ESP32 family's core. */
#include <Arduino.h>
#include <Preferences.h>
#include <driver/rtc_io.h>
#include <esp_sleep.h>
#include <esp_system.h>
#include <esp_task_wdt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "machine.h"

HardwareSerial Serial;
EspClass ESP;

namespace {

size_t capacity = 256; /* the core's default */
OnReceiveErrorCb on_error;

void overflow() {
    if (on_error != nullptr) {
        on_error(UART_FIFO_OVF_ERROR);
    }
}

} // namespace

size_t HardwareSerial::setRxBufferSize(size_t new_size) {
    capacity = new_size;
    return capacity;
}

void HardwareSerial::begin(unsigned long baud) {
    note("serial %lu", baud);
    line_open(capacity, overflow);
}

void HardwareSerial::onReceiveError(OnReceiveErrorCb function) {
    on_error = function;
}

uint32_t EspClass::getCycleCount() {
    return static_cast<uint32_t>(nanoseconds() * 240u / 1000u);
}

size_t getArduinoLoopTaskStackSize() {
    return 8192;
}

UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t) {
    return 5192;
}

uint32_t getCpuFrequencyMhz() {
    return 240;
}

void disableCore0WDT() {
    note("idle watchdog off");
}

esp_err_t esp_task_wdt_init(uint32_t timeout, bool panic) {
    note("watchdog %u s%s", timeout, panic ? ", restarts" : "");
    return 0;
}

// cppcheck-suppress constParameter - the signature of ESP-IDF
esp_err_t esp_task_wdt_add(TaskHandle_t handle) {
    note(handle == nullptr ? "watchdog watches the loop" : "watchdog watches another task");
    return 0;
}

esp_err_t esp_task_wdt_reset() {
    static bool noted;
    if (!noted) {
        note("watchdog fed");
    }
    noted = true;
    return 0;
}

esp_reset_reason_t esp_reset_reason() {
    const char *text = getenv("INKLING_RESET");
    return text != nullptr ? static_cast<esp_reset_reason_t>(atoi(text)) : ESP_RST_UNKNOWN;
}

bool Preferences::begin(const char *name, bool, const char *) {
    note("storage %s", name);
    return !broken();
}

namespace {

/* Open the file of an entry: INKLING_FLASH and the entry's name. */
FILE *open_entry(const char *key, const char *mode) {
    char name[1024];
    if (getenv("INKLING_FLASH") == nullptr) {
        return nullptr;
    }
    snprintf(name, sizeof name, "%s.%s", getenv("INKLING_FLASH"), key);
    return fopen(name, mode);
}

} // namespace

size_t Preferences::putBytes(const char *key, const void *value, size_t len) {
    static int left = getenv("INKLING_WRITES") != nullptr ? atoi(getenv("INKLING_WRITES")) : INT_MAX;
    if (left-- <= 0) {
        fflush(stdout);
        _exit(0);
    }
    FILE *file = getenv("INKLING_READ_ONLY") == nullptr ? open_entry(key, "wb") : nullptr;
    if (file == nullptr) {
        return 0;
    }
    const size_t written = fwrite(value, len, 1, file);
    fclose(file);
    return written * len;
}

size_t Preferences::getBytes(const char *key, void *buf, size_t maxLen) {
    FILE *file = open_entry(key, "rb");
    if (file == nullptr) {
        return 0;
    }
    const size_t read = fread(buf, 1, maxLen, file);
    fclose(file);
    return read;
}

size_t Preferences::putULong64(const char *key, uint64_t value) {
    return putBytes(key, &value, sizeof value);
}

uint64_t Preferences::getULong64(const char *key, uint64_t defaultValue) {
    uint64_t value;
    return getBytes(key, &value, sizeof value) == sizeof value ? value : defaultValue;
}

unsigned long micros() {
    return static_cast<unsigned long>(nanoseconds() / 1000u);
}

unsigned long millis() {
    return static_cast<unsigned long>(nanoseconds() / 1000000u);
}

void delay(uint32_t ms) {
    line_wait(ms);
}

void pinMode(uint8_t, uint8_t) {}

void digitalWrite(uint8_t pin, uint8_t val) {
    note("pin %u %u", pin, val);
}

uint32_t analogReadMilliVolts(uint8_t pin) {
    const char *text = getenv("INKLING_PIN_MV");
    unsigned number = 0, millivolts = 0;
    const bool given = text != nullptr && sscanf(text, "%u=%u", &number, &millivolts) == 2 && number == pin;
    return given ? millivolts : 0;
}

esp_err_t rtc_gpio_hold_en(gpio_num_t gpio_num) {
    note("hold %d", gpio_num);
    return 0;
}

esp_err_t rtc_gpio_hold_dis(gpio_num_t gpio_num) {
    note("let go %d", gpio_num);
    return 0;
}

esp_err_t esp_sleep_enable_timer_wakeup(uint64_t time_in_us) {
    note("timer %llu", static_cast<unsigned long long>(time_in_us));
    return 0;
}

void esp_deep_sleep_start() {
    note("deep sleep");
    exit(0);
}

esp_sleep_wakeup_cause_t esp_sleep_get_wakeup_cause() {
    return getenv("INKLING_WOKE") != nullptr ? ESP_SLEEP_WAKEUP_TIMER : ESP_SLEEP_WAKEUP_UNDEFINED;
}
