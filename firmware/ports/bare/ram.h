/* Static memory and stack without an operating system. */
#ifndef INKLING_BARE_RAM_H
#define INKLING_BARE_RAM_H

#include <stdint.h>

/* Defined by the linker script; arrays of unknown size, so that the compiler assumes no bounds. The stack may use the
 * memory from the limit up to the top; what is between guard and limit shows an overflow. */
extern uint32_t link_stack_guard[], link_stack_limit[], link_stack_top[];

/* Copy .data, clear .bss, and fill the unused stack with a pattern for board_stack_bytes(). Call before any code that
 * uses static variables. */
void ram_start(void);

/* Restart the board if the stack has grown beyond its limit: it may have overwritten variables. Call in every loop. */
void ram_check(void);

#endif
