/* Says what docs/SPEC.md asks of a board that has heard these bytes, and compares what it says. It keeps the bytes
 * and reads them as a whole, which the firmware's parser, a state machine, does not. */
#ifndef INKLING_FUZZ_ORACLE_H
#define INKLING_FUZZ_ORACLE_H

#include <stdint.h>

void oracle_start(void);

/* The board took this byte; it lost some; it has heard nothing for 1000 ms. */
void oracle_byte(uint8_t byte);
void oracle_lost(void);
void oracle_silence(void);

/* By now the board must have answered all that it has heard, and nothing else. */
void oracle_check(void);

#endif
