/* From reset to the application: vector table, memory, clock, serial line. */
#include "../bare/ram.h"

#include "app.h"
#include "board.h"
#include "port.h"
#include "registers.h"

#define STM32F405_INTERRUPTS 82u

extern uint32_t link_stack_top[]; /* from stm32f405.ld */

void reset_handler(void);

/* A fault leaves nothing to trust: start over, and the host hears from a board that works. */
static void fault_handler(void) {
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

/* Interrupts that nobody enables keep a null vector: one that came would be a fault, and fault_handler's. */
__attribute__((section(".vectors"), used)) static const VectorTable vectors = {
    .stack_top = link_stack_top,
    .reset = reset_handler,
    .faults = {fault_handler, fault_handler, fault_handler, fault_handler, fault_handler},
    .systick = timer_interrupt,
    .interrupts = {[USART1_IRQ] = usart_interrupt},
};

/* What lies at address 0, where vectors are looked for after reset, is flash only where the BOOT0 pin says so (RM0090
 * 2.4). Another program may have started this one, the ROM's bootloader for instance. */
void reset_handler(void) {
    SCB_VTOR = (uint32_t)&vectors;
    ram_start();
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
