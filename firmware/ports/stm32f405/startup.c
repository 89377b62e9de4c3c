/* From reset to the application: vector table, memory, clock, serial line. */
#include "../bare/kept.h"
#include "../bare/ram.h"

#include "app.h"
#include "board.h"
#include "port.h"
#include "registers.h"

#define STM32F405_INTERRUPTS 82u

void reset_handler(void);

/* After a fault no state can be trusted: reset, so that the board responds again. */
static void fault_handler(void) {
    kept_crash = KEPT_CRASH_MARK;
    SCB_AIRCR = SCB_AIRCR_SYSRESETREQ;
    for (;;) {
    }
}

typedef struct {
    const void *stack_top;
    void (*reset)(void);
    void (*faults[13])(void);
    void (*systick)(void);
    void (*interrupts[STM32F405_INTERRUPTS])(void);
} VectorTable;

/* Unused interrupts have a null vector: if one occurs, it is a fault and ends in fault_handler. */
__attribute__((section(".vectors"), used)) static const VectorTable vectors = {
    .stack_top = link_stack_top,
    .reset = reset_handler,
    .faults = {fault_handler, fault_handler, fault_handler, fault_handler, fault_handler},
    .systick = timer_interrupt,
    .interrupts = {[USART1_IRQ] = usart_interrupt},
};

/* Forbid access to the memory below the stack, so that an overflow is a fault before it overwrites variables. The
 * handler of a hard fault runs without memory protection. */
static void protect_stack(void) {
    MPU_RNR = 0u;
    MPU_RBAR = (uint32_t)link_stack_guard;
    MPU_RASR = MPU_RASR_1_KB_NO_ACCESS;
    MPU_CTRL = MPU_CTRL_ENABLE_DEFAULT_MAP;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

/* Sets VTOR because another program, such as the ROM's bootloader, may have started this one. Address 0 then need not
 * be flash (RM0090, 2.4). */
void reset_handler(void) {
    SCB_VTOR = (uint32_t)&vectors;
    ram_start();
    protect_stack();
    reset_start();
    clock_start();
    timer_start();
    usart_start();
    app_start();
    for (;;) {
        app_step();
    }
}

const char *board_target(void) {
    return INKLING_TARGET;
}
