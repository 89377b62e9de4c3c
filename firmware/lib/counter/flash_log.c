#include "flash_log.h"

#include <string.h>

#include "counter.h"
#include "wire/bytes.h"
#include "wire/crc.h"

#define BLANK UINT32_MAX
#define MAX_FAILURES 4u /* slots that fail before the flash counts as broken */
#define KEY_SLOTS 2u

enum slot { SLOT_BLANK, SLOT_DAMAGED, SLOT_KEY, SLOT_VALID, SLOT_VALID_KEYED };

static uint32_t checksum(const struct board_numbers *numbers) {
    uint8_t bytes[8];
    wire_put_u32(wire_put_u32(bytes, numbers->limit), numbers->boots);
    return wire_crc32(0u, bytes, sizeof bytes);
}

/* Read the limit and boots of a slot, if it is valid. */
static enum slot read_slot(const struct flash_pages *flash, uint32_t page, uint32_t offset,
                           struct board_numbers *numbers) {
    uint32_t words[FLASH_LOG_WORDS];
    if (!flash->read(page, offset, words)) {
        return SLOT_DAMAGED;
    }
    if ((words[0] & words[1] & words[2] & words[3]) == BLANK) {
        return SLOT_BLANK;
    }
    if (words[3] == FLASH_LOG_KEY_MARK) {
        return SLOT_KEY;
    }
    numbers->limit = words[0];
    numbers->boots = words[1];
    if (words[2] != checksum(numbers)) {
        return SLOT_DAMAGED;
    }
    return words[3] == FLASH_LOG_MARK ? SLOT_VALID : words[3] == FLASH_LOG_KEYED_MARK ? SLOT_VALID_KEYED : SLOT_DAMAGED;
}

/* Fill the two slots of a key. */
static void key_words(const uint8_t key[BOARD_KEY_BYTES], uint32_t words[KEY_SLOTS][FLASH_LOG_WORDS]) {
    memcpy(words[0], key, 12);
    words[0][3] = FLASH_LOG_KEY_MARK;
    memcpy(words[1], key + 12, 4);
    words[1][1] = wire_crc32(0u, key, BOARD_KEY_BYTES);
    words[1][2] = 0u;
    words[1][3] = FLASH_LOG_REST_MARK;
}

static bool read_key(const struct flash_pages *flash, uint32_t page, uint8_t key[BOARD_KEY_BYTES]) {
    uint32_t words[KEY_SLOTS][FLASH_LOG_WORDS];
    uint32_t expected[KEY_SLOTS][FLASH_LOG_WORDS];
    if (!flash->read(page, 0, words[0]) || !flash->read(page, FLASH_LOG_RECORD_BYTES, words[1])) {
        return false;
    }
    memcpy(key, words[0], 12);
    memcpy(key + 12, words[1], 4);
    key_words(key, expected);
    return memcmp(words, expected, sizeof words) == 0;
}

static uint32_t page_after(const struct flash_pages *flash, uint32_t page) {
    return page + 1u < flash->page_count ? page + 1u : 0u; /* also after FLASH_LOG_NO_PAGE */
}

/* Find the end of the records in the newest one's page, and return the number of damaged ones behind `offset`. */
static uint32_t find_end(struct flash_log *log, uint32_t offset) {
    struct board_numbers numbers = {0};
    uint32_t damaged = 0;
    log->offset = offset + 2u * FLASH_LOG_RECORD_BYTES;
    for (uint32_t at = offset + FLASH_LOG_RECORD_BYTES; at < log->flash->page_bytes; at += FLASH_LOG_RECORD_BYTES) {
        if (read_slot(log->flash, log->newest, at, &numbers) != SLOT_BLANK) {
            damaged++;
            log->offset = at + 2u * FLASH_LOG_RECORD_BYTES;
        }
    }
    return damaged;
}

/* Look at a page's first record, which stands behind a key if there is one. Sets *begun if the key was not completed,
 * or has no record. */
static enum slot first_record(const struct flash_pages *flash, uint32_t page, bool *begun) {
    struct board_numbers numbers = {0};
    uint8_t key[BOARD_KEY_BYTES];
    const enum slot first = read_slot(flash, page, 0, &numbers);
    *begun = first == SLOT_KEY;
    if (first != SLOT_KEY) {
        return first;
    }
    const enum slot record = read_slot(flash, page, KEY_SLOTS * FLASH_LOG_RECORD_BYTES, &numbers);
    *begun = record != SLOT_VALID_KEYED || !read_key(flash, page, key);
    return record;
}

/* The newest record of a page or of all. */
struct record {
    struct board_numbers numbers;
    uint32_t page;
    uint32_t offset;
    uint32_t count; /* of valid records in the page; 0: there is none */
};

static struct record newest_of_page(const struct flash_pages *flash, uint32_t page) {
    struct record newest = {.page = page};
    struct board_numbers numbers = {0};
    enum slot kind = SLOT_BLANK;
    for (uint32_t at = 0; at < flash->page_bytes; at += FLASH_LOG_RECORD_BYTES) {
        const enum slot slot = read_slot(flash, page, at, &numbers);
        if (slot < SLOT_VALID) {
            continue;
        }
        newest.count++;
        if (numbers.limit >= newest.numbers.limit) {
            newest.numbers = numbers;
            newest.offset = at;
            kind = slot;
        }
    }
    if (kind == SLOT_VALID_KEYED) {
        newest.numbers.key_state = read_key(flash, page, newest.numbers.key) ? BOARD_KEY : BOARD_KEY_DAMAGED;
    }
    return newest;
}

static bool is_newer(const struct board_numbers *a, const struct board_numbers *b) {
    return a->limit > b->limit || (a->limit == b->limit && a->boots > b->boots);
}

struct board_numbers flash_log_open(struct flash_log *log, const struct flash_pages *flash) {
    struct record newest = {.page = FLASH_LOG_NO_PAGE};
    uint32_t floor = 0; /* of the limit */
    for (uint32_t page = 0; page < flash->page_count; page++) {
        const struct record record = newest_of_page(flash, page);
        /* The page of a new key is ready with the second record. Before, a damaged key means the page before. */
        if (record.count == 1u && record.numbers.key_state == BOARD_KEY_DAMAGED) {
            floor = record.numbers.limit > floor ? record.numbers.limit : floor;
        } else if (record.count > 0u && is_newer(&record.numbers, &newest.numbers)) {
            newest = record;
        }
    }
    struct board_numbers numbers = newest.numbers;
    *log = (struct flash_log){
        .flash = flash,
        .page = newest.page,
        .newest = newest.page,
        .has_key = numbers.key_state == BOARD_KEY,
    };
    memcpy(log->key, numbers.key, sizeof log->key);
    bool begun;
    uint32_t damaged = newest.page == FLASH_LOG_NO_PAGE ? 0u : find_end(log, newest.offset);
    if (first_record(flash, page_after(flash, newest.page), &begun) == SLOT_DAMAGED) {
        damaged++; /* the first one after a change of pages */
    }
    log->offset = begun ? flash->page_bytes : log->offset; /* no room: erases the page of the new key */
    const uint32_t room = (UINT32_MAX - numbers.limit) / COUNTER_BLOCK;
    numbers.limit += (damaged < room ? damaged : room) * COUNTER_BLOCK;
    numbers.limit = numbers.limit > floor ? numbers.limit : floor;
    return numbers;
}

static bool is_blank(const struct flash_pages *flash, uint32_t page) {
    struct board_numbers numbers = {0};
    for (uint32_t at = 0; at < flash->page_bytes; at += FLASH_LOG_RECORD_BYTES) {
        if (read_slot(flash, page, at, &numbers) != SLOT_BLANK) {
            return false;
        }
    }
    return true;
}

/* Program the next slot and read it back. */
static bool append(struct flash_log *log, const uint32_t words[FLASH_LOG_WORDS]) {
    const uint32_t offset = log->offset;
    uint32_t read[FLASH_LOG_WORDS];
    log->offset += FLASH_LOG_RECORD_BYTES;
    return log->flash->program(log->page, offset, words) && log->flash->read(log->page, offset, read) &&
           memcmp(read, words, sizeof read) == 0;
}

static bool append_key(struct flash_log *log) {
    uint32_t words[KEY_SLOTS][FLASH_LOG_WORDS];
    key_words(log->key, words);
    return append(log, words[0]) && append(log, words[1]);
}

/* Go on in the next page that can be erased, and takes the key. Returns false if none can but that of the newest
 * record. */
static bool change_page(struct flash_log *log) {
    for (uint32_t tries = 0; tries < log->flash->page_count; tries++) {
        log->page = page_after(log->flash, log->page);
        log->offset = log->flash->page_bytes; /* no room, until it is blank */
        if (log->page == log->newest) {
            return false;
        }
        if (log->flash->erase(log->page) && is_blank(log->flash, log->page)) {
            log->offset = 0;
            if (!log->has_key || append_key(log)) {
                return true;
            }
        }
    }
    return false;
}

/* Note the key to write. Returns true if it is a new one, which needs a new page. */
static bool take_key(struct flash_log *log, const struct board_numbers *numbers) {
    const bool is_old = log->has_key && memcmp(log->key, numbers->key, sizeof log->key) == 0;
    if (numbers->key_state != BOARD_KEY || is_old) {
        return false;
    }
    memcpy(log->key, numbers->key, sizeof log->key);
    log->has_key = true;
    log->offset = log->flash->page_bytes;
    return true;
}

bool flash_log_write(struct flash_log *log, const struct board_numbers *numbers) {
    uint32_t copies = take_key(log, numbers) ? 2u : 1u;
    const uint32_t mark = log->has_key ? FLASH_LOG_KEYED_MARK : FLASH_LOG_MARK;
    const uint32_t words[FLASH_LOG_WORDS] = {numbers->limit, numbers->boots, checksum(numbers), mark};
    for (uint32_t failures = 0; failures < MAX_FAILURES && copies > 0u;) {
        if ((log->page == FLASH_LOG_NO_PAGE || log->offset >= log->flash->page_bytes) && !change_page(log)) {
            return false;
        }
        if (append(log, words)) {
            log->newest = log->page;
            copies--;
        } else {
            failures++;
        }
    }
    return copies == 0u;
}
