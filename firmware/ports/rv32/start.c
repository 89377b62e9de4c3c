/* From reset to the application, for RV32 cores in machine mode. */
#include "../bare/kept.h"
#include "../bare/ram.h"

#include "app.h"
#include "board.h"
#include "machine.h"
#include "wire/status.h"

void entry(void);
void fault(void);
void start(void);

/* After a fault no state can be trusted: restart, so that the board responds again. A trap on RISC-V is only a jump, so
 * the entry needs no reset. Interrupts are masked, so there are no other traps. Aligned to 256 bytes because the
 * ESP32-C3's traps are always vectored, with exceptions in the table's first entry (TRM, mtvec). */
__attribute__((naked, used, aligned(256))) void fault(void) {
    __asm__ volatile(".option push\n"
                     ".option norelax\n"
                     "la t0, kept_crash\n"
                     "li t1, %0\n"
                     "sw t1, 0(t0)\n"
                     ".option pop\n"
                     "tail entry" ::"i"(KEPT_CRASH_MARK));
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

static uint8_t reset_cause;

__attribute__((used)) void start(void) {
    ram_start();
    reset_cause = kept_take_crash() ? WIRE_RESET_CRASH : WIRE_RESET_UNKNOWN;
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

uint8_t board_reset_cause(void) {
    return reset_cause;
}

/* Neither machine's watchdog nor flash is used: they are for tests. */
void board_progress(void) {}

bool board_numbers_read(struct board_numbers *numbers) {
    (void)numbers;
    return false;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    (void)numbers;
    return false;
}

const char *board_target(void) {
    return INKLING_TARGET;
}
