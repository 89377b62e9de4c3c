/* Simulated board under the fuzzer's control: bytes arrive and time passes as scripted. Implements board.h. */
#ifndef INKLING_FUZZ_PORT_H
#define INKLING_FUZZ_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Reset the board, with the clock at `micros`; each reading of the cycle counter takes `pace` microseconds, and the
 * permanent memory is empty and takes this many writes. */
void port_start(uint64_t micros, uint32_t pace, unsigned writes);

/* Return the free space for received bytes. */
size_t port_room(void);

/* Receive bytes, at most port_room(). */
void port_receive(const uint8_t *bytes, size_t count);

/* Lose bytes once the application has read this many more. */
void port_lose_after(size_t count);

/* Cancel a loss that has not happened yet. */
void port_lose_nothing(void);

/* Run the application once. */
void port_run(void);

/* Let time pass without bytes, waking the application as often as board_wait() guarantees. */
void port_silence(uint64_t micros);

/* Advance the clock without running the application, which must have no partial command. */
void port_jump(uint64_t micros);

#endif
