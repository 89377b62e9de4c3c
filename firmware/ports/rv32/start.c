/* From reset to the application, for any RV32 core that runs in machine mode alone. */
#include "../bare/ram.h"

#include "app.h"
#include "board.h"
#include "machine.h"

void entry(void);
void fault(void);
void start(void);

/* A fault leaves nothing to trust: start over, and the host hears from a board that works. A trap on RISC-V is but a
 * jump, so that the entry serves as it is. Interrupts stay masked, so that no other traps come.
 * 256: the ESP32-C3's traps are always vectored, exceptions to the table's first place (its TRM, mtvec). */
__attribute__((naked, used, aligned(256))) void fault(void) {
    __asm__ volatile("tail entry");
}

/* Privileged ISA 3.1: mstatus.MIE (bit 3) and all of mie off, mtvec to the fault. Before gp holds its value, the linker
 * must not shorten its own loading by it. */
__attribute__((naked, used, section(".entry"))) void entry(void) {
    __asm__ volatile("csrci mstatus, 8\n"
                     "csrw mie, zero\n"
                     ".option push\n"
                     ".option norelax\n"
                     "la gp, __global_pointer$\n"
                     ".option pop\n"
                     "la sp, link_stack_top\n"
                     "la t0, fault\n"
                     "csrw mtvec, t0\n"
                     "tail start\n");
}

__attribute__((used)) void start(void) {
    ram_start();
    machine_start();
    app_start();
    for (;;) {
        app_step();
    }
}

bool board_woke(void) {
    return false; /* board_sleep returns */
}

const char *board_target(void) {
    return INKLING_TARGET;
}
