/* Cycles, clock, stack and sleep of the ESP32 family (Arduino core 2.0 with ESP-IDF 4.4). */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

#include <esp_sleep.h>

namespace {

constexpr uint64_t MICROS_PER_SECOND = 1000000u;

} // namespace

/* The watchdog must not fire while the encoder runs for seconds, as in BENCH. On two cores, Arduino's loop runs on the
 * one whose idle task is not watched; on a single core it is watched. */
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

/* Deep sleep: the chip restarts when the timer ends it. */
void board_sleep(uint32_t seconds) {
    Serial.flush();
    esp_sleep_enable_timer_wakeup(seconds * MICROS_PER_SECOND);
    esp_deep_sleep_start();
}

bool board_woke() {
    return esp_sleep_get_wakeup_cause() == ESP_SLEEP_WAKEUP_TIMER;
}

uint8_t board_reset_cause() {
    return 0u;
}

uint16_t board_battery_mv() {
    return 0u;
}
