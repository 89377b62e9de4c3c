/* From reset to the application, for RV32 cores in machine mode. */
#include "../bare/ram.h"

#include "app.h"
#include "board.h"
#include "machine.h"

void entry(void);
void fault(void);
void start(void);

/* After a fault no state can be trusted: restart, so that the board responds again. A trap on RISC-V is only a jump, so
 * the entry needs no reset. Interrupts are masked, so there are no other traps. Aligned to 256 bytes because the
 * ESP32-C3's traps are always vectored, with exceptions in the table's first entry (TRM, mtvec). */
__attribute__((naked, used, aligned(256))) void fault(void) {
    __asm__ volatile("tail entry");
}

/* Privileged ISA, 3.1: clear mstatus.MIE (bit 3) and mie, set mtvec to the fault handler. norelax: the linker must not
 * use gp to load gp. */
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
        ram_check();
    }
}

bool board_woke(void) {
    return false; /* board_sleep() returns */
}

const char *board_target(void) {
    return INKLING_TARGET;
}
