/* Oracle: derives from the bytes that the board received what docs/SPEC.md requires it to send, and compares. Unlike
 * the firmware's parser, a state machine, it keeps the bytes and parses them as a whole. */
#ifndef INKLING_FUZZ_ORACLE_H
#define INKLING_FUZZ_ORACLE_H

#include <stdint.h>

/* Forget everything. */
void oracle_start(void);

/* The board read this byte; read it only to drop it; lost bytes; received nothing for 1000 ms, or no whole command in
 * time. */
void oracle_byte(uint8_t byte);
void oracle_skip(uint8_t byte);
void oracle_lost(void);
void oracle_timeout(void);

/* Check that the board has answered the complete commands so far. Returns the number of syncs found so far. */
unsigned oracle_read(void);

/* Return the time in microseconds in which a partial command has to be complete, from its sync. */
uint64_t oracle_limit(void);

/* Check that the board has answered everything it received, and sent nothing else. */
void oracle_check(void);

#endif
