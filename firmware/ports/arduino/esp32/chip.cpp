/* Cycles, clock, stack and sleep of the ESP32 family (ESP-IDF 4.4, under Arduino core 2.0). */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

#include <esp_sleep.h>

namespace {

constexpr uint64_t MICROS_PER_SECOND = 1000000u;

} // namespace

/* An encoder at work for seconds, as in BENCH, must not be taken for hung. Where there are two cores, Arduino's loop
 * has the one whose idle task nobody watches; where there is one, it is watched. */
void chip_start() {
#ifdef CONFIG_FREERTOS_UNICORE
    disableCore0WDT();
#endif
}

uint32_t board_cycles() {
    return ESP.getCycleCount();
}

uint32_t board_clock_hz() {
    return getCpuFrequencyMhz() * 1000000u;
}

uint32_t board_stack_bytes() {
    return static_cast<uint32_t>(getArduinoLoopTaskStackSize() - uxTaskGetStackHighWaterMark(nullptr));
}

/* Deep sleep: the chip starts over when the timer ends it. */
void board_sleep(uint32_t seconds) {
    Serial.flush();
    esp_sleep_enable_timer_wakeup(seconds * MICROS_PER_SECOND);
    esp_deep_sleep_start();
}

bool board_woke() {
    return esp_sleep_get_wakeup_cause() == ESP_SLEEP_WAKEUP_TIMER;
}
