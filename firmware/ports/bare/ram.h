/* Static memory and stack without an operating system. */
#ifndef INKLING_BARE_RAM_H
#define INKLING_BARE_RAM_H

/* Copy .data, clear .bss, and fill the unused stack with a pattern for board_stack_bytes(). Call before any code that
 * uses static variables. */
void ram_start(void);

#endif
