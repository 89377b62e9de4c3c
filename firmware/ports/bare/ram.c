#include "ram.h"

#include <stdlib.h>

#include "board.h"

#define STACK_PAINT 0x5AC35AC3u

extern uint32_t link_data_load[], link_data_start[], link_data_end[];
extern uint32_t link_bss_start[], link_bss_end[];

void ram_start(void) {
    /* volatile: keeps the compiler from calling memset, whose stack frame would be overwritten */
    const volatile uint32_t *stack_pointer;
#ifdef __riscv
    __asm__ volatile("mv %0, sp" : "=r"(stack_pointer));
#else
    __asm__ volatile("mov %0, sp" : "=r"(stack_pointer));
#endif
    for (volatile uint32_t *word = link_stack_guard; word < stack_pointer; word++) {
        *word = STACK_PAINT;
    }
    const uint32_t *load = link_data_load;
    for (volatile uint32_t *word = link_data_start; word < link_data_end; word++) {
        *word = *load++;
    }
    for (volatile uint32_t *word = link_bss_start; word < link_bss_end; word++) {
        *word = 0u;
    }
}

uint32_t board_stack_bytes(void) {
    const uint32_t *word = link_stack_limit;
    while (word < link_stack_top && *word == STACK_PAINT) {
        word++;
    }
    return (uint32_t)(link_stack_top - word) * (uint32_t)sizeof *word;
}

void ram_check(void) {
    for (const uint32_t *word = link_stack_guard; word < link_stack_limit; word++) {
        if (*word != STACK_PAINT) {
            abort();
        }
    }
}
