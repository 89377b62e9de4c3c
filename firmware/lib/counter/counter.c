#include "counter.h"

#include "board.h"

static BOARD_RETAINED struct board_numbers stored; /* in the permanent memory */
static BOARD_RETAINED uint32_t next;
static BOARD_RETAINED bool ok;

/* Make the values up to `next` + COUNTER_BLOCK unusable for the time after a restart. */
static bool reserve(uint32_t boots) {
    if (next > UINT32_MAX - COUNTER_BLOCK) {
        return false;
    }
    const struct board_numbers numbers = {.limit = next + COUNTER_BLOCK, .boots = boots};
    if (!board_numbers_write(&numbers)) {
        return false;
    }
    stored = numbers;
    return true;
}

void counter_start(void) {
    if (board_woke()) {
        return;
    }
    stored = (struct board_numbers){0};
    ok = board_numbers_read(&stored);
    next = stored.limit;
    ok = ok && reserve(stored.boots + 1u);
}

bool counter_next(uint32_t *value) {
    if (ok && next == stored.limit) {
        ok = reserve(stored.boots);
    }
    *value = next;
    return ok;
}

void counter_advance(void) {
    next++;
}

bool counter_ok(void) {
    return ok;
}

uint32_t counter_boots(void) {
    return ok ? stored.boots : 0u;
}
