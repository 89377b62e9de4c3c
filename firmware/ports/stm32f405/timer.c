/* Cycles and time from SysTick, which counts CPU cycles on the chip and in QEMU. QEMU's DWT does not count. */
#include "board.h"
#include "port.h"
#include "registers.h"

#define SYSTICK_BITS 24u
#define SYSTICK_MAX ((1u << SYSTICK_BITS) - 1u)

static volatile uint32_t wraps;
static bool counting; /* QEMU's counter stays at 0 for a while after its start, which is no end of a round */

void timer_start(void) {
    SYST_RVR = SYSTICK_MAX;
    SYST_CVR = 0u;
    SYST_CSR = SYST_CSR_ENABLE_INTERRUPT_CPU_CLOCK;
}

void timer_interrupt(void) {
    wraps++;
}

static uint32_t wrap_pending(void) {
    return SCB_ICSR & SCB_ICSR_PENDSTSET;
}

/* A wrap whose interrupt has not run yet is pending. The counter is read between two equal states of wraps and pending
 * bit, so that it belongs to them however long the interrupt takes. */
static uint64_t cycles(void) {
    uint32_t high;
    uint32_t left;
    uint32_t pending;
    do {
        high = wraps;
        pending = wrap_pending();
        left = SYST_CVR;
    } while (pending != wrap_pending() || high != wraps);
    counting = counting || left != 0u;
    if (!counting) {
        return 0u;
    }
    if (pending != 0u && left != 0u) { /* 0 is the end of the old round, though its wrap is pending already */
        high++;
    }
    return ((uint64_t)high << SYSTICK_BITS) + (SYSTICK_MAX - left);
}

uint32_t board_cycles(void) {
    return (uint32_t)cycles();
}

uint32_t board_micros(void) {
    return (uint32_t)(cycles() / (board_clock_hz() / 1000000u));
}

/* Stops only the core's clock, until the next interrupt. SysTick raises one every 100 ms. */
void board_sleep(uint32_t seconds) {
    const uint64_t end = cycles() + (uint64_t)seconds * board_clock_hz();
    while (cycles() < end) {
        board_progress();
        __asm__ volatile("dsb\n wfi" ::: "memory");
    }
}

bool board_woke(void) {
    return false; /* board_sleep() returns */
}

uint16_t board_battery_mv(void) {
    return 0u;
}
