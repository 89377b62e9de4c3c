/* The cause of the last reset, and the watchdog. QEMU models neither: its registers read 0. */
#include "../bare/kept.h"

#include "board.h"
#include "port.h"
#include "registers.h"
#include "wire/status.h"

static uint8_t cause;

/* Several flags are set at once: each reset also pulls the pin low, and power-up passes the brown-out level. */
static uint8_t chip_cause(void) {
    const uint32_t flags = RCC_CSR;
    if ((flags & (RCC_CSR_IWDGRSTF | RCC_CSR_WWDGRSTF)) != 0u) {
        return WIRE_RESET_WATCHDOG;
    }
    if ((flags & RCC_CSR_SFTRSTF) != 0u) {
        return WIRE_RESET_SOFTWARE;
    }
    if ((flags & RCC_CSR_PORRSTF) != 0u) {
        return WIRE_RESET_POWER_ON;
    }
    if ((flags & RCC_CSR_BORRSTF) != 0u) {
        return WIRE_RESET_BROWN_OUT;
    }
    return (flags & RCC_CSR_PINRSTF) != 0u ? WIRE_RESET_PIN : WIRE_RESET_UNKNOWN;
}

/* The longest time-out that the watchdog has: 4096 periods of 256 / 32 kHz, 32.8 s; 22 to 62 s with the oscillator's
 * tolerance (DS8626: 17 to 47 kHz). It cannot be stopped again. */
void reset_start(void) {
    cause = chip_cause();
    if (kept_take_crash() && (cause == WIRE_RESET_SOFTWARE || cause == WIRE_RESET_UNKNOWN)) {
        cause = WIRE_RESET_CRASH;
    }
    RCC_CSR |= RCC_CSR_RMVF;
    IWDG_KR = IWDG_KR_START;
    IWDG_KR = IWDG_KR_ACCESS;
    IWDG_PR = IWDG_PR_DIV256;
    IWDG_RLR = IWDG_RLR_MAX;
    IWDG_KR = IWDG_KR_RELOAD;
}

uint8_t board_reset_cause(void) {
    return cause;
}

void board_progress(void) {
    IWDG_KR = IWDG_KR_RELOAD;
}
