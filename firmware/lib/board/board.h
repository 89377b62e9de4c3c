/* What the application needs of the machine it runs on. Each folder under firmware/ports implements it. */
#ifndef INKLING_BOARD_H
#define INKLING_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A variable so marked keeps its value through board_sleep() even where that ends in a new start; power-up and reset
 * give it its initial value, as any other. */
#ifdef ESP_PLATFORM
#include "esp_attr.h"
#define BOARD_RETAINED RTC_DATA_ATTR /* memory that stays powered: ESP-IDF, "Deep-Sleep Wake Stubs" and "Memory Types" */
#else
#define BOARD_RETAINED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The next received byte, or -1 when there is none now. Bytes are collected in the background. */
int board_read(void);

/* True when bytes were lost since the last call: the receive buffer was full, or the UART overran. */
bool board_overrun(void);

/* Sends all bytes, in order. Returns when they are on their way; with nobody to take them, they are lost. */
void board_write(const uint8_t *bytes, size_t count);

/* Sleeps until a byte may be there, 200 ms at the most. */
void board_wait(void);

/* Sleeps for this long, at the lowest power that the port can wake up from by a timer, once all that was written is
 * out. Bytes that come meanwhile may be lost. Returns, or starts the board over (board_woke() is true then). */
void board_sleep(uint32_t seconds);

/* True when the board was started by the timer of a board_sleep(), false after power-up or reset. */
bool board_woke(void);

/* Time since the start. Wraps; take differences. */
uint32_t board_micros(void);

/* CPU cycles (nanoseconds on a port that cannot count them). Wraps; take differences. */
uint32_t board_cycles(void);

/* How many of board_cycles() make one second. */
uint32_t board_clock_hz(void);

/* Deepest stack so far, in bytes; 0 = unknown. */
uint32_t board_stack_bytes(void);

/* Name of the build, such as "qemu_stm32f405". */
const char *board_target(void);

#ifdef __cplusplus
}
#endif

#endif
