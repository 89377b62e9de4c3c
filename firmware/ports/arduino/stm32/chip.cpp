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

/* Unknown: stack and heap grow towards each other in one room, which the core leaves as it was. */
uint32_t board_stack_bytes() {
    return 0;
}

/* Idles, the processor stopped between the millisecond ticks. The chips' stop modes would halt the UART, too. */
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
