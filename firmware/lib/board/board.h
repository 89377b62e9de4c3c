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

#define BOARD_KEY_BYTES 16u

enum board_key { BOARD_NO_KEY = 0, BOARD_KEY, BOARD_KEY_DAMAGED };

/* Numbers and device key in the board's permanent memory, which keeps them without power: lib/counter. They are read
 * and written together, because a key with the numbers of an earlier time would be used on the same counters again. */
struct board_numbers {
    uint32_t limit; /* image counters below it may have been used */
    uint32_t boots;
    uint8_t key_state; /* enum board_key */
    uint8_t key[BOARD_KEY_BYTES];
};

/* Read the numbers and the key; zeros if none have been written yet. BOARD_KEY_DAMAGED: there is a key, but it cannot
 * be read. Returns false if the board has no permanent memory for them, or it does not work. */
bool board_numbers_read(struct board_numbers *numbers);

/* Write all at once, BOARD_NO_KEY or BOARD_KEY. A loss of power leaves the old ones or the new ones. Returns true when
 * it can no longer undo the writing; false if the memory does not work: then a later reading may give either. */
bool board_numbers_write(const struct board_numbers *numbers);

/* Return why the program started, an enum wire_reset: wire/status.h. */
uint8_t board_reset_cause(void);

/* Return the word of the last board_keep(); 0 after power-up. It is kept in memory that a reset does not clear. */
uint32_t board_kept(void);

/* Keep a word through resets, not through a loss of power. */
void board_keep(uint32_t word);

/* Tell the watchdog that the application makes progress. Without a call for longer than the port's time-out
 * (docs/firmware.md), the board restarts with WIRE_RESET_WATCHDOG. Only the application calls it, after each piece of
 * work that is bounded by itself; a port does so only in board_sleep(). */
void board_progress(void);

/* Return the battery's or supply's voltage in millivolts; 0 = unknown. */
uint16_t board_battery_mv(void);

/* Return the name of the build, such as "qemu_stm32f405". */
const char *board_target(void);

#ifdef __cplusplus
}
#endif

#endif
