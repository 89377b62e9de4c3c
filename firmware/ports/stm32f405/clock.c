/* 168 MHz from the internal 16 MHz oscillator, independent of the board's crystal. */
#include "board.h"
#include "port.h"
#include "registers.h"

#define HSI_HZ 16000000u
#define FULL_HZ 168000000u
#define PLL_POLLS 100000u

/* RM0090 7.3.2: 16 MHz / M 8 = 2 MHz; x N 168 = 336 MHz; / P 2 = 168 MHz; Q 7 = 48 MHz for USB */
#define PLL_HSI_168_MHZ (8u | 168u << 6 | 0u << 16 | 7u << 24)

static uint32_t core_hz;
static uint32_t apb2_hz;

static bool pll_locks(void) {
    RCC_PLLCFGR = PLL_HSI_168_MHZ;
    RCC_CR |= RCC_CR_PLLON;
    for (uint32_t poll = 0; poll < PLL_POLLS; poll++) {
        if ((RCC_CR & RCC_CR_PLLRDY) != 0u) {
            return true;
        }
    }
    return false;
}

void clock_start(void) {
    core_hz = apb2_hz = HSI_HZ;
    if ((RCC_CR & RCC_CR_HSIRDY) == 0u) {
        /* A real chip runs from this oscillator after reset, so this is QEMU: no clock control, full speed. */
        core_hz = FULL_HZ;
        apb2_hz = FULL_HZ / 2u;
    } else if (pll_locks()) {
        FLASH_ACR = FLASH_ACR_5_WAIT_STATES_CACHED;
        RCC_CFGR = RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2 | RCC_CFGR_SW_PLL;
        while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLL) {
        }
        core_hz = FULL_HZ;
        apb2_hz = FULL_HZ / 2u;
    }
}

uint32_t clock_apb2_hz(void) {
    return apb2_hz;
}

uint32_t board_clock_hz(void) {
    return core_hz;
}
