/* Static memory and stack of a program that starts without an operating system. */
#ifndef INKLING_BARE_RAM_H
#define INKLING_BARE_RAM_H

/* Copies .data, clears .bss, and paints all that the stack has not used yet, for board_stack_bytes(). Call it before
 * anything that has a variable. */
void ram_start(void);

#endif
