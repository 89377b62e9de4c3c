/* Cycles, clock, sleep and supply of STM32 chips.
 *
 * The voltage in status frames is that of the chip's supply, or of a battery on an analogue pin: see common/battery.h.
 */
#include "../common/battery.h"
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

#include "cycles.h"
#include "reset.h"
#include "stack.h"
#include "stm32yyxx_ll_adc.h"

/* For -fstack-protector-strong. The C library's version writes a message and hangs. Its bytes end strings and lines. */
extern "C" {
extern const uintptr_t __stack_chk_guard;
const uintptr_t __stack_chk_guard = 0xFF0A0D00u;

[[noreturn]] void __stack_chk_fail() {
    reset_by_crash();
}
}

void chip_start() {
    stack_start();
    reset_start();
    dwt_init();
}

uint32_t board_cycles() {
    return dwt_getCycles();
}

uint32_t board_clock_hz() {
    return SystemCoreClock;
}

/* Stops the processor between the millisecond ticks. The chips' stop modes would stop the UART as well. Interrupts send
 * what is queued meanwhile; Serial.flush() would wait forever for a host that has a chip's USB open but does not read.
 */
void board_sleep(uint32_t seconds) {
    for (uint32_t second = 0; second < seconds; second++) {
        const uint32_t start = millis();
        board_progress();
        while (millis() - start < 1000u) {
            __WFI();
        }
    }
}

bool board_woke() {
    return false;
}

/* The converter measures in parts of the supply, which therefore follows from what it reads at the internal reference,
 * and from what it read there in the factory. Chips that have not stored that (STM32F1, F2) report 0, unknown. */
uint16_t board_battery_mv() {
#if defined(AVREF) && defined(__LL_ADC_CALC_VREFANALOG_VOLTAGE)
    analogReadResolution(12);
    const uint32_t reference = analogRead(AVREF);
    if (reference == 0u) {
        return 0u;
    }
    const uint32_t supply_mv = __LL_ADC_CALC_VREFANALOG_VOLTAGE(reference, LL_ADC_RESOLUTION_12B);
#ifdef INKLING_BATTERY_PIN
    return battery_mv(__LL_ADC_CALC_DATA_TO_VOLTAGE(supply_mv, analogRead(INKLING_BATTERY_PIN), LL_ADC_RESOLUTION_12B));
#else
    return static_cast<uint16_t>(supply_mv);
#endif
#else
    return 0u;
#endif
}
