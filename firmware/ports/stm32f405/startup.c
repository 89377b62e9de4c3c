/* From reset to the application: vector table, memory, painted stack. */
#include "app.h"
#include "board.h"
#include "port.h"
#include "registers.h"

#define STACK_PAINT 0x5AC35AC3u
#define STM32F405_INTERRUPTS 82u

/* From stm32f405.ld. Arrays without an end, so that the compiler assumes nothing of where they stop. */
extern uint32_t link_data_load[], link_data_start[], link_data_end[];
extern uint32_t link_bss_start[], link_bss_end[], link_stack_top[];

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

void reset_handler(void) {
    /* volatile keeps the compiler from calling memset, whose own frame would lie in what is painted */
    volatile uint32_t *stack_pointer;
    __asm__ volatile("mov %0, sp" : "=r"(stack_pointer));
    for (volatile uint32_t *word = link_bss_end; word < stack_pointer; word++) {
        *word = STACK_PAINT;
    }
    const uint32_t *load = link_data_load;
    for (volatile uint32_t *word = link_data_start; word < link_data_end; word++) {
        *word = *load++;
    }
    for (volatile uint32_t *word = link_bss_start; word < link_bss_end; word++) {
        *word = 0u;
    }
    clock_start();
    timer_start();
    usart_start();
    app_start();
    for (;;) {
        app_step();
    }
}

uint32_t board_stack_bytes(void) {
    const uint32_t *word = link_bss_end;
    while (word < link_stack_top && *word == STACK_PAINT) {
        word++;
    }
    return (uint32_t)(link_stack_top - word) * (uint32_t)sizeof *word;
}

const char *board_target(void) {
    return INKLING_TARGET;
}
