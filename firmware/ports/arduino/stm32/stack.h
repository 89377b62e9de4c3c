/* The stack of an STM32, which grows down towards the heap. */
#ifndef INKLING_ARDUINO_STACK_H
#define INKLING_ARDUINO_STACK_H

/* Fill the memory between heap and stack with a pattern. Call first. */
void stack_start();

/* Restart the board if the stack has come near the heap: it may have overwritten it. Call in every loop. */
void stack_check();

#endif
