#include "counter.h"

#include <string.h>

static BOARD_RETAINED struct board_numbers stored; /* in the permanent memory */
static BOARD_RETAINED uint32_t next;
static BOARD_RETAINED enum counter_key key_state;
static BOARD_RETAINED bool ok;
static BOARD_RETAINED bool counted; /* this boot */
static BOARD_RETAINED bool spent;   /* all values */

/* Write the numbers, with a limit COUNTER_BLOCK above `from`: values up to it are unusable after a restart. */
static bool reserve(struct board_numbers numbers, uint32_t from) {
    if (from > UINT32_MAX - COUNTER_BLOCK) {
        return false;
    }
    numbers.limit = from + COUNTER_BLOCK;
    numbers.boots += counted ? 0u : 1u;
    if (!board_numbers_write(&numbers)) {
        return false;
    }
    counted = true;
    stored = numbers;
    return true;
}

void counter_start(void) {
    static const enum counter_key states[] = {
        [BOARD_NO_KEY] = COUNTER_NO_KEY,
        [BOARD_KEY] = COUNTER_KEY_PERMANENT,
        [BOARD_KEY_DAMAGED] = COUNTER_KEY_LOST,
    };
    if (board_woke()) {
        return;
    }
    memset(&stored, 0, sizeof stored);
    ok = board_numbers_read(&stored);
    next = stored.limit;
    counted = spent = false;
    key_state = ok ? states[stored.key_state] : COUNTER_NO_KEY;
    ok = ok && key_state != COUNTER_KEY_LOST;
}

void counter_count_boot(void) {
    if (ok && !counted) {
        ok = reserve(stored, next);
    }
}

uint32_t counter_peek(void) {
    return next;
}

bool counter_next(uint32_t *value) {
    if (ok && next == stored.limit) {
        ok = reserve(stored, next);
    }
    *value = next;
    return ok || (key_state == COUNTER_KEY_VOLATILE && !spent);
}

void counter_advance(void) {
    spent = spent || next == UINT32_MAX;
    next++;
}

bool counter_ok(void) {
    return ok;
}

uint32_t counter_boots(void) {
    return ok && counted ? stored.boots : 0u;
}

enum counter_key counter_key(void) {
    return key_state;
}

void counter_get_key(uint8_t key[BOARD_KEY_BYTES]) {
    memcpy(key, stored.key, BOARD_KEY_BYTES);
}

/* The records of a log need rising limits, so the rest of the block is skipped. */
bool counter_set_key(const uint8_t key[BOARD_KEY_BYTES]) {
    counter_count_boot(); /* shows whether the memory works, before the key is in it */
    if (!ok) {
        const bool is_volatile = key_state == COUNTER_NO_KEY || key_state == COUNTER_KEY_VOLATILE;
        key_state = is_volatile ? COUNTER_KEY_VOLATILE : key_state;
        return is_volatile;
    }
    struct board_numbers numbers = stored;
    numbers.key_state = BOARD_KEY;
    memcpy(numbers.key, key, BOARD_KEY_BYTES);
    const uint32_t from = stored.limit;
    ok = reserve(numbers, from);
    key_state = ok ? COUNTER_KEY_PERMANENT : COUNTER_KEY_LOST;
    next = ok ? from : next;
    return ok;
}
