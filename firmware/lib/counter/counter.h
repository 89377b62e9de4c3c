/* Counter of unsolicited images: 32 bits, no value twice, whenever the power fails; and the count of boots.
 *
 * Values are reserved in blocks of COUNTER_BLOCK in the board's permanent memory (board_numbers_write()), before the
 * first of a block is used. A restart begins with a new block: it skips the unused rest of the last one. */
#ifndef INKLING_COUNTER_H
#define INKLING_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Values per write to the permanent memory. Larger: less wear, but more values skipped by each restart; the table in
 * docs/firmware.md ("Counters") gives the life of each memory. Half of 32 more than a multiple: a board that restarts
 * after few images does not give its next one the sequence number of the last, of which it would seem a copy. */
#define COUNTER_BLOCK 112u

/* Count this boot and reserve a block. Call once, first. After a deep sleep, counting continues where it was. */
void counter_start(void);

/* Get the value of the next image; it stays the same until counter_advance(). Returns true if no image before had it
 * and none will have it again. Returns false if the board has no working permanent memory, or all 2^32 values are
 * used: then the value only counts since the start, and must not serve as a nonce. */
bool counter_next(uint32_t *value);

/* Use up the value of counter_next(). Call as soon as it may have been sent. */
void counter_advance(void);

/* Return true if the last value was unique: see counter_next(). */
bool counter_ok(void);

/* Return the number of starts so far, this one included, without those that end a deep sleep. 0 = unknown: the board
 * has no working permanent memory. */
uint32_t counter_boots(void);

#ifdef __cplusplus
}
#endif

#endif
