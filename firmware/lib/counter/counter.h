/* Counter of images: 32 bits, no value twice, whenever the power fails; the count of boots; and the device key, which
 * belongs to the counter: no key may meet a value for the second time.
 *
 * Values are reserved in blocks of COUNTER_BLOCK in the board's permanent memory (board_numbers_write()), before the
 * first of a block is used. A restart begins with a new block: it skips the unused rest of the last one. */
#ifndef INKLING_COUNTER_H
#define INKLING_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values per write to the permanent memory. Larger: less wear, but more values skipped by each restart; the table in
 * docs/firmware.md ("Counters") gives the life of each memory. Half of 32 more than a multiple: a board that restarts
 * after few images does not give its next one the sequence number of the last, of which it would seem a copy. */
#define COUNTER_BLOCK 112u

/* State of the device key. */
enum counter_key {
    COUNTER_NO_KEY,
    COUNTER_KEY_VOLATILE,  /* until the next restart: the board has no working permanent memory */
    COUNTER_KEY_PERMANENT, /* in the permanent memory, beside the counter */
    COUNTER_KEY_LOST       /* there is one, but the memory does not give it or may have another one now */
};

/* Read the permanent memory; writes nothing. Call once, first. After a deep sleep, counting continues where it was. */
void counter_start(void);

/* Count this boot and reserve a block, unless it has been done. */
void counter_count_boot(void);

/* Return the value of the next image. It may not be unique. */
uint32_t counter_peek(void);

/* Get the value of the next image; it stays the same until counter_advance(). Returns true if no image before had it
 * and none will have it again; with COUNTER_KEY_VOLATILE, none under this key. Returns false if the board has no
 * working permanent memory, or all 2^32 values are used: then the value only counts since the start, and must not serve
 * as a nonce. */
bool counter_next(uint32_t *value);

/* Use up the value of counter_next(). Call as soon as it may have been sent. */
void counter_advance(void);

/* Return true if the permanent memory works, and values are left. */
bool counter_ok(void);

/* Return the number of starts so far, this one included, without those that end a deep sleep. 0 = unknown: the board
 * has no working permanent memory. */
uint32_t counter_boots(void);

/* Return the state of the device key. */
enum counter_key counter_key(void);

/* Copy the device key that counter_start() read from the permanent memory: COUNTER_KEY_PERMANENT. */
void counter_get_key(uint8_t key[BOARD_KEY_BYTES]);

/* Set the device key: in the permanent memory, or, without one, until the next restart. Values that were used before
 * are not used with it. Returns false if the memory does not take it: then the key is COUNTER_KEY_LOST until the next
 * restart, or, if the memory had failed before, stays as it was. */
bool counter_set_key(const uint8_t key[BOARD_KEY_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
