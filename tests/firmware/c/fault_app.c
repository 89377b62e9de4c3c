/* Test application for a bare port: does a fault restart it? Prints "start" when it starts. Answers 'N' with the number
 * of 'N's since then, from '1' on. 'I' and 'A' cause a fault: an illegal instruction, an invalid address. */
#include "app.h"
#include "board.h"

static volatile uint8_t asked = '0';

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
    board_write((const uint8_t *)"start\n", 6);
}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'N') {
        asked++;
        const uint8_t line[] = {asked, '\n'};
        board_write(line, sizeof line);
    } else if (byte == 'I' || byte == 'A') {
        fault(byte);
    } else if (byte == 0x1A) { /* start of a command: the emulator checks that the board responds */
        board_write((const uint8_t *)"here\n", 5);
    }
    board_wait();
}
