/* Cycles from mcycle, time from the machine timer. With -icount shift=0 QEMU counts one cycle and one nanosecond per
 * instruction; without it, mcycle is a clock of the host. */
#include "board.h"
#include "port.h"
#include "registers.h"

#define CLOCK_HZ 1000000000u
#define MICROS_PER_SECOND 1000000u
#define TICKS_PER_MICROSECOND (MTIME_HZ / MICROS_PER_SECOND)

static uint64_t ticks(void) {
    uint32_t high;
    uint32_t low;
    do {
        high = MTIME_HIGH;
        low = MTIME_LOW;
    } while (high != MTIME_HIGH);
    return (uint64_t)high << 32 | low;
}

void timer_start(void) {
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_TIMER));
}

void timer_wake_in(uint32_t micros) {
    const uint64_t then = ticks() + (uint64_t)micros * TICKS_PER_MICROSECOND;
    MTIMECMP_HIGH = UINT32_MAX; /* between the two writes the value must not be in the past */
    MTIMECMP_LOW = (uint32_t)then;
    MTIMECMP_HIGH = (uint32_t)(then >> 32);
}

void board_sleep(uint32_t seconds) {
    const uint64_t end = ticks() + (uint64_t)seconds * MTIME_HZ;
    while (ticks() < end) {
        timer_wake_in(MICROS_PER_SECOND / 10u);
        __asm__ volatile("wfi" ::: "memory");
    }
}

uint32_t board_cycles(void) {
    uint32_t cycles;
    __asm__ volatile("csrr %0, mcycle" : "=r"(cycles));
    return cycles;
}

uint32_t board_micros(void) {
    return (uint32_t)(ticks() / TICKS_PER_MICROSECOND);
}

uint32_t board_clock_hz(void) {
    return CLOCK_HZ;
}

uint16_t board_battery_mv(void) {
    return 0u;
}
