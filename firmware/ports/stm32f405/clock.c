/* 168 MHz from the internal 16 MHz oscillator, independent of the board's crystal. */
#include "../bare/wait.h"

#include "board.h"
#include "port.h"
#include "registers.h"

#define HSI_HZ 16000000u
#define FULL_HZ 168000000u

/* RM0090 7.3.2: 16 MHz / M 8 = 2 MHz; x N 168 = 336 MHz; / P 2 = 168 MHz; Q 7 = 48 MHz for USB */
#define PLL_HSI_168_MHZ (8u | 168u << 6 | 0u << 16 | 7u << 24)

static uint32_t core_hz;
static uint32_t apb2_hz;

static bool is_pll_locked(void) {
    return (RCC_CR & RCC_CR_PLLRDY) != 0u;
}

static bool start_pll(void) {
    RCC_PLLCFGR = PLL_HSI_168_MHZ;
    RCC_CR |= RCC_CR_PLLON;
    return wait_until(is_pll_locked, false);
}

static bool runs_from_pll(void) {
    return (RCC_CFGR & RCC_CFGR_SWS_MASK) == RCC_CFGR_SWS_PLL;
}

/* Returns false if the chip stays with the internal oscillator, undivided. */
static bool switch_to_pll(void) {
    FLASH_ACR = FLASH_ACR_5_WAIT_STATES_CACHED;
    RCC_CFGR = RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2 | RCC_CFGR_SW_PLL;
    const bool switched = wait_until(runs_from_pll, false);
    if (!switched) {
        RCC_CFGR = RCC_CFGR_SW_HSI_UNDIVIDED;
    }
    return switched;
}

void clock_start(void) {
    core_hz = apb2_hz = HSI_HZ;
    if ((RCC_CR & RCC_CR_HSIRDY) == 0u) {
        /* A real chip runs from this oscillator after reset, so this is QEMU: no clock control, full speed. */
        core_hz = FULL_HZ;
        apb2_hz = FULL_HZ / 2u;
    } else if (start_pll() && switch_to_pll()) {
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
