/* Test application for a bare port: is its clock correct? Answers in decimal: 'L' with the cycles of a loop of a
 * million instructions, 'M' with the number of backward steps in 1.5 million readings, 'Z' with the microseconds of a
 * sleep of one second. */
#include <stdint.h>

#include "answer.h"
#include "app.h"
#include "board.h"

static uint32_t loop_cycles(void) {
    uint32_t rounds = 500000u;
    const uint32_t start = board_cycles();
#ifdef __riscv
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(rounds));
#else
    __asm__ volatile("1: subs %0, #1\n bne 1b" : "+r"(rounds) : : "cc");
#endif
    return board_cycles() - start;
}

static uint32_t backward_steps(void) {
    uint32_t steps = 0;
    uint32_t last = board_micros();
    for (uint32_t reading = 0; reading < 1500000u; reading++) {
        const uint32_t now = board_micros();
        steps += now < last;
        last = now;
    }
    return steps;
}

static uint32_t slept_micros(void) {
    const uint32_t start = board_micros();
    board_sleep(1);
    return board_micros() - start;
}

void app_start(void) {}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'L') {
        answer(loop_cycles());
    } else if (byte == 'M') {
        answer(backward_steps());
    } else if (byte == 'Z') {
        answer(slept_micros());
    } else if (byte == 0x1A) { /* start of a command: the emulator checks that the board responds */
        answer(1);
    }
    board_wait();
}
