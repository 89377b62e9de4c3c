#include "reset.h"

#include "../common/core.h"
#include "backup_registers.h"
#include "board.h"
#include "wire/status.h"

/* Names that differ between the families. An STM32L4 and WL have no flag for power-up: it is a brown-out there. */
#ifdef RCC_RSR_RMVF
#define RESET_FLAGS RCC->RSR
#define RESET_FORGET RCC_RSR_RMVF
#define RESET_BY_WATCHDOG (RCC_RSR_IWDG1RSTF | RCC_RSR_WWDG1RSTF)
#define RESET_BY_SOFTWARE RCC_RSR_SFTRSTF
#define RESET_BY_POWER RCC_RSR_PORRSTF
#define RESET_BY_BROWN_OUT RCC_RSR_BORRSTF
#define RESET_BY_PIN RCC_RSR_PINRSTF
#define WATCHDOG IWDG1
#else
#define RESET_FLAGS RCC->CSR
#define RESET_FORGET RCC_CSR_RMVF
#define RESET_BY_WATCHDOG (RCC_CSR_IWDGRSTF | RCC_CSR_WWDGRSTF)
#define RESET_BY_SOFTWARE RCC_CSR_SFTRSTF
#ifdef RCC_CSR_PORRSTF
#define RESET_BY_POWER RCC_CSR_PORRSTF
#else
#define RESET_BY_POWER RCC_CSR_BORRSTF
#endif
#define RESET_BY_BROWN_OUT RCC_CSR_BORRSTF
#define RESET_BY_PIN RCC_CSR_PINRSTF
#define WATCHDOG IWDG
#endif

namespace {

/* Registers of the backup domain, which no reset clears; the core itself uses the second and the fifth one. */
constexpr uint32_t KEPT = 2;
constexpr uint32_t CRASHED = 3;
constexpr uint32_t CRASH_MARK = 0x43524153u;

/* Independent watchdog (reference manuals, "IWDG registers"). */
constexpr uint32_t KEY_START = 0xCCCCu;
constexpr uint32_t KEY_ACCESS = 0x5555u;
constexpr uint32_t KEY_RELOAD = 0xAAAAu;
constexpr uint32_t PRESCALER_256 = 6;
constexpr uint32_t RELOAD_MAX = 0xFFFu;

uint8_t cause;

/* Several flags are set at once: each reset also pulls the pin low, and power-up passes the brown-out level. */
uint8_t chip_cause() {
    const uint32_t flags = RESET_FLAGS;
    if ((flags & RESET_BY_WATCHDOG) != 0u) {
        return WIRE_RESET_WATCHDOG;
    }
    if ((flags & RESET_BY_SOFTWARE) != 0u) {
        return getBackupRegister(CRASHED) == CRASH_MARK ? WIRE_RESET_CRASH : WIRE_RESET_SOFTWARE;
    }
    if ((flags & RESET_BY_POWER) != 0u) {
        return WIRE_RESET_POWER_ON;
    }
    if ((flags & RESET_BY_BROWN_OUT) != 0u) {
        return WIRE_RESET_BROWN_OUT;
    }
    return (flags & RESET_BY_PIN) != 0u ? WIRE_RESET_PIN : WIRE_RESET_UNKNOWN;
}

} // namespace

/* The core's own handler loops. The others of its kind end in this one, because they are off. */
extern "C" void HardFault_Handler() {
    reset_by_crash();
}

/* The longest time-out that the watchdog has, 32.8 s, and 22 s with the fastest oscillator (STM32F4: 17 to 47 kHz). */
void reset_start() {
    enableBackupDomain();
    cause = chip_cause();
    setBackupRegister(CRASHED, 0);
    RESET_FLAGS |= RESET_FORGET;
    WATCHDOG->KR = KEY_START;
    WATCHDOG->KR = KEY_ACCESS;
    WATCHDOG->PR = PRESCALER_256;
    WATCHDOG->RLR = RELOAD_MAX;
    WATCHDOG->KR = KEY_RELOAD;
}

[[noreturn]] void reset_by_crash() {
    setBackupRegister(CRASHED, CRASH_MARK);
    NVIC_SystemReset();
}

void board_progress() {
    WATCHDOG->KR = KEY_RELOAD;
}

uint8_t board_reset_cause() {
    return cause;
}

uint32_t board_kept() {
    return getBackupRegister(KEPT);
}

void board_keep(uint32_t word) {
    setBackupRegister(KEPT, word);
}
