/* Test application for a bare port: does a fault restart it? Prints "start" when it starts. Answers 'N' with the number
 * of 'N's since then, from '1' on. 'I' and 'A' cause a fault: an illegal instruction, an invalid address. 'B' writes
 * beyond an array on the stack, 'S' lets the stack grow beyond its limit; both return. 'C' answers with the cause of
 * the last reset, 'K' with the kept word, which is then one more. */
#include "app.h"
#include "board.h"

static volatile uint8_t asked = '0';
static volatile uint32_t beyond = 12u; /* volatile: the compiler must not know */
static volatile uint32_t result;
static volatile uint8_t variables[512]; /* below the stack's limit, so that an overflow stays within RAM */

extern uint32_t link_stack_limit[]; /* from the linker script */

/* Overwrites no return address: only what is between the array and it. */
static uint32_t overflow_array(void) {
    volatile uint8_t bytes[8];
    for (uint32_t i = 0; i < beyond; i++) {
        // cppcheck-suppress arrayIndexOutOfBounds - the fault that is tested
        bytes[i] = 0xAAu;
    }
    return bytes[0];
}

static uint32_t overflow_stack(void) {
    volatile uint32_t frame[16];
    frame[0] = 1u;
    const bool reached = (uintptr_t)frame < (uintptr_t)link_stack_limit - 256u;
    return reached ? frame[0] : frame[0] + overflow_stack(); /* no tail call */
}

static void answer(uint32_t digit) {
    const uint8_t line[] = {(uint8_t)('0' + digit), '\n'};
    board_write(line, sizeof line);
}

static void fault(int kind) {
    if (kind == 'I') {
#ifdef __riscv
        __asm__ volatile("csrw cycle, zero"); /* read-only */
#else
        __asm__ volatile("udf #0");
#endif
    }
    (void)*(volatile uint32_t *)0xDEAD0000u;
}

void app_start(void) {
    variables[0] = asked;
    board_write((const uint8_t *)"start\n", 6);
}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'N') {
        asked++;
        answer(asked - (uint32_t)'0');
    } else if (byte == 'C') {
        answer(board_reset_cause());
    } else if (byte == 'K') {
        answer(board_kept());
        board_keep(board_kept() + 1u);
    } else if (byte == 'B') {
        result = overflow_array();
    } else if (byte == 'S') {
        result = overflow_stack();
    } else if (byte == 'I' || byte == 'A') {
        fault(byte);
    } else if (byte == 0x1A) { /* start of a command: the emulator checks that the board responds */
        board_write((const uint8_t *)"here\n", 5);
    }
    board_wait();
}
