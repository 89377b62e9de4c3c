/* Board interface: what the application needs from the machine. Each folder under firmware/ports implements it. */
#ifndef INKLING_BOARD_H
#define INKLING_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Marks a variable that keeps its value through board_sleep(), even where waking restarts the program. Power-up and
 * reset initialise it like any other variable. */
#ifdef ESP_PLATFORM
#include "esp_attr.h"
#define BOARD_RETAINED \
    RTC_DATA_ATTR /* RTC memory stays powered: ESP-IDF, "Deep-Sleep Wake Stubs" and "Memory Types" \
                   */
#else
#define BOARD_RETAINED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Return the next received byte, or -1 if there is none. Bytes are buffered in the background. */
int board_read(void);

/* Return true if bytes were lost since the last call: the receive buffer was full, or the UART overran. */
bool board_overrun(void);

/* Send all bytes, in order. Returns when they are queued; they are lost if nobody is connected or the line has stopped
 * sending. */
void board_write(const uint8_t *bytes, size_t count);

/* Sleep until a byte may be available, 200 ms at most. */
void board_wait(void);

/* Sleep for this many seconds at the lowest power from which a timer can wake the port. Written bytes are sent first;
 * bytes that arrive meanwhile may be lost. Either returns, or restarts the program (board_woke() is then true). */
void board_sleep(uint32_t seconds);

/* Return true if the timer of board_sleep() started the program, false after power-up or reset. */
bool board_woke(void);

/* Return the time since the start in microseconds. Wraps; use differences. */
uint32_t board_micros(void);

/* Return CPU cycles, or nanoseconds on a port that cannot count cycles. Wraps; use differences. */
uint32_t board_cycles(void);

/* Return the number of board_cycles() per second. */
uint32_t board_clock_hz(void);

/* Return the deepest stack use so far in bytes; 0 = unknown. */
uint32_t board_stack_bytes(void);

/* Return the cause of the last reset, an enum wire_reset of wire/status.h; 0 = unknown. */
uint8_t board_reset_cause(void);

/* Return the battery's or supply's voltage in millivolts; 0 = unknown. */
uint16_t board_battery_mv(void);

/* Return the name of the build, such as "qemu_stm32f405". */
const char *board_target(void);

#ifdef __cplusplus
}
#endif

#endif
