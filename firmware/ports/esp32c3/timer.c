/* Time and cycles from the system timer, which runs at 16 MHz. The CPU's own cycle counter (mpccr; TRM, "ESP-RISC-V
 * CPU") would be exact, but runs 256 times too fast in labwired. */
#include "../bare/wait.h"

#include "board.h"
#include "port.h"
#include "registers.h"

#define TICKS_HZ 16000000u
#define TICKS_PER_MICROSECOND (TICKS_HZ / 1000000u)
#define CPU_HZ 160000000u

void timer_start(void) {
    SYSTIMER_CONF |= SYSTIMER_CONF_CLK_EN_UNIT0_EN;
}

static bool stalled; /* the timer has stopped responding: do not wait for it until it responds again */

static bool is_latched(void) {
    return (SYSTIMER_UNIT0_OP & SYSTIMER_UNIT0_OP_VALID) != 0u;
}

/* Returns the last value again if the timer does not respond. */
static uint64_t ticks(void) {
    SYSTIMER_UNIT0_OP = SYSTIMER_UNIT0_OP_UPDATE;
    stalled = !wait_until(is_latched, stalled);
    const uint32_t high = SYSTIMER_UNIT0_HIGH; /* the update latches both parts */
    return (uint64_t)high << 32 | SYSTIMER_UNIT0_LOW;
}

uint32_t board_cycles(void) {
    return (uint32_t)(ticks() * (CPU_HZ / TICKS_HZ));
}

uint32_t board_micros(void) {
    return (uint32_t)(ticks() / TICKS_PER_MICROSECOND);
}

uint32_t board_clock_hz(void) {
    return CPU_HZ;
}

void board_sleep(uint32_t seconds) {
    const uint64_t end = ticks() + (uint64_t)seconds * TICKS_HZ;
    while (ticks() < end && !stalled) {
    }
}

uint16_t board_battery_mv(void) {
    return 0u;
}
