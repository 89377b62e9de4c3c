/* Cycles, clock, stack, sleep, resets, watchdog and battery of the ESP32 family (Arduino core 2.0 with ESP-IDF 4.4).
 *
 * The voltage of the battery is unknown unless it is on an analogue pin: see common/battery.h.
 */
#include "../common/battery.h"
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

#include "wire/status.h"

#include <esp_sleep.h>
#include <esp_system.h>
#include <esp_task_wdt.h>

namespace {

constexpr uint64_t MICROS_IN_A_SECOND = 1000000u;

/* Longer than the slowest encoder, the longest packet (27 s with the radio library's own time-out) and a camera that
 * gives each of its first frames late. */
constexpr uint32_t WATCHDOG_S = 60;

/* Random after power-up, so the word has its inverse beside it. The memory stays powered in deep sleep. */
RTC_NOINIT_ATTR uint32_t kept;
RTC_NOINIT_ATTR uint32_t inverse;

} // namespace

/* The core's watchdog watches the idle task of core 0. On a single core, Arduino's loop keeps that task from running
 * while it encodes, so this says nothing about progress, and fires in a long BENCH. What is watched instead, on each
 * chip, is the task that runs the application: board_progress(). */
void chip_start() {
    esp_task_wdt_init(WATCHDOG_S, true); /* it runs already: sets its time-out, and that it restarts the chip */
#ifdef CONFIG_FREERTOS_UNICORE
    disableCore0WDT();
#endif
    esp_task_wdt_add(nullptr);
}

void board_progress() {
    esp_task_wdt_reset();
}

uint8_t board_reset_cause() {
    switch (esp_reset_reason()) {
        case ESP_RST_POWERON:
            return WIRE_RESET_POWER_ON;
        case ESP_RST_EXT:
            return WIRE_RESET_PIN;
        case ESP_RST_SW:
            return WIRE_RESET_SOFTWARE;
        case ESP_RST_PANIC:
            return WIRE_RESET_CRASH;
        case ESP_RST_INT_WDT:
        case ESP_RST_TASK_WDT:
        case ESP_RST_WDT:
            return WIRE_RESET_WATCHDOG;
        case ESP_RST_DEEPSLEEP:
            return WIRE_RESET_DEEP_SLEEP;
        case ESP_RST_BROWNOUT:
            return WIRE_RESET_BROWN_OUT;
        default:
            return WIRE_RESET_UNKNOWN;
    }
}

uint32_t board_kept() {
    return kept == ~inverse ? kept : 0u;
}

void board_keep(uint32_t word) {
    kept = word;
    inverse = ~word;
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
    esp_sleep_enable_timer_wakeup(seconds * MICROS_IN_A_SECOND);
    esp_deep_sleep_start();
}

bool board_woke() {
    return esp_sleep_get_wakeup_cause() == ESP_SLEEP_WAKEUP_TIMER;
}

#ifdef INKLING_BATTERY_PIN
static_assert(INKLING_BATTERY_PIN >= 0 && INKLING_BATTERY_PIN <= 48, "INKLING_BATTERY_PIN must be 0..48");

uint16_t board_battery_mv() {
    return battery_mv(analogReadMilliVolts(INKLING_BATTERY_PIN));
}
#else
uint16_t board_battery_mv() {
    return 0u;
}
#endif
