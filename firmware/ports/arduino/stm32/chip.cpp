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

/* Stops the processor between the millisecond ticks. The chips' stop modes would stop the UART as well. */
void board_sleep(uint32_t seconds) {
    Serial.flush();
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
