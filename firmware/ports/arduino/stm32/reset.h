/* Resets of an STM32, and its watchdog. */
#ifndef INKLING_ARDUINO_RESET_H
#define INKLING_ARDUINO_RESET_H

/* Find out why the program started, and start the watchdog. */
void reset_start();

/* Restart the board with WIRE_RESET_CRASH. */
[[noreturn]] void reset_by_crash();

#endif
