/* The board that the fuzzer owns: bytes come when it says so, time passes when it says so. Implements board.h. */
#ifndef INKLING_FUZZ_PORT_H
#define INKLING_FUZZ_PORT_H

#include <stddef.h>
#include <stdint.h>

/* A fresh board: nothing received, the clock at `micros`; each look at the cycle counter takes `pace` micros. */
void port_start(uint64_t micros, uint32_t pace);

/* Room for this many bytes that have been received and not yet read. */
size_t port_room(void);
void port_receive(const uint8_t *bytes, size_t count);

/* Bytes are lost when the application has read this many more; never mind any loss still to come. */
void port_lose_after(size_t count);
void port_lose_nothing(void);

/* Lets the application work; lets time pass without a byte, the application waking up as often as it may rely on. */
void port_run(void);
void port_silence(uint64_t micros);

/* The application sleeps through this: nothing is under way, or it would have given up long before. */
void port_jump(uint64_t micros);

#endif
