/* Cycles, clock and sleep of STM32 chips. */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

#include "cycles.h"
#include "reset.h"
#include "stack.h"

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

uint16_t board_battery_mv() {
    return 0u;
}
