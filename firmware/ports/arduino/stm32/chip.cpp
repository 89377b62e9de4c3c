/* Cycles, clock, stack and sleep of STM32 chips. */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

#include "cycles.h"

void chip_start() {
    dwt_init();
}

uint32_t board_cycles() {
    return dwt_getCycles();
}

uint32_t board_clock_hz() {
    return SystemCoreClock;
}

/* Unknown: stack and heap share one area, which the core does not initialise. */
uint32_t board_stack_bytes() {
    return 0;
}

/* Stops the processor between the millisecond ticks. The chips' stop modes would stop the UART as well. Interrupts send
 * what is queued meanwhile; Serial.flush() would wait for ever for a host that has a chip's USB open but does not read. */
void board_sleep(uint32_t seconds) {
    for (uint32_t second = 0; second < seconds; second++) {
        const uint32_t start = millis();
        while (millis() - start < 1000u) {
            __WFI();
        }
    }
}

bool board_woke() {
    return false;
}
