#include "flash_log.h"

#include <string.h>

#include "counter.h"
#include "wire/bytes.h"
#include "wire/crc.h"

#define BLANK UINT32_MAX
#define MAX_FAILURES 4u /* slots that fail before the flash counts as broken */

enum slot { SLOT_BLANK, SLOT_DAMAGED, SLOT_VALID };

static uint32_t checksum(const struct board_numbers *numbers) {
    uint8_t bytes[8];
    wire_put_u32(wire_put_u32(bytes, numbers->limit), numbers->boots);
    return wire_crc32(0u, bytes, sizeof bytes);
}

static enum slot read_slot(const struct flash_pages *flash, uint32_t page, uint32_t offset,
                           struct board_numbers *numbers) {
    uint32_t words[FLASH_LOG_WORDS];
    if (!flash->read(page, offset, words)) {
        return SLOT_DAMAGED;
    }
    if ((words[0] & words[1] & words[2] & words[3]) == BLANK) {
        return SLOT_BLANK;
    }
    *numbers = (struct board_numbers){.limit = words[0], .boots = words[1]};
    return words[3] == FLASH_LOG_MARK && words[2] == checksum(numbers) ? SLOT_VALID : SLOT_DAMAGED;
}

static uint32_t page_after(const struct flash_pages *flash, uint32_t page) {
    return page + 1u < flash->page_count ? page + 1u : 0u; /* also after FLASH_LOG_NO_PAGE */
}

/* Find the end of the records in the newest one's page, and return the number of damaged ones behind `offset`. */
static uint32_t find_end(struct flash_log *log, uint32_t offset) {
    struct board_numbers numbers = {0};
    uint32_t damaged = 0;
    for (uint32_t at = offset; at < log->flash->page_bytes; at += FLASH_LOG_RECORD_BYTES) {
        if (read_slot(log->flash, log->newest, at, &numbers) != SLOT_BLANK) {
            damaged += at > offset ? 1u : 0u;
            log->offset = at + 2u * FLASH_LOG_RECORD_BYTES;
        }
    }
    return damaged;
}

struct board_numbers flash_log_open(struct flash_log *log, const struct flash_pages *flash) {
    struct board_numbers newest = {0};
    struct board_numbers numbers = {0};
    uint32_t offset = 0;
    *log = (struct flash_log){.flash = flash, .page = FLASH_LOG_NO_PAGE, .newest = FLASH_LOG_NO_PAGE};
    for (uint32_t page = 0; page < flash->page_count; page++) {
        for (uint32_t at = 0; at < flash->page_bytes; at += FLASH_LOG_RECORD_BYTES) {
            if (read_slot(flash, page, at, &numbers) == SLOT_VALID && numbers.limit > newest.limit) {
                newest = numbers;
                log->newest = page;
                offset = at;
            }
        }
    }
    uint32_t damaged = 0;
    if (log->newest != FLASH_LOG_NO_PAGE) {
        log->page = log->newest;
        damaged = find_end(log, offset);
    }
    if (read_slot(flash, page_after(flash, log->newest), 0, &numbers) == SLOT_DAMAGED) {
        damaged++; /* the first one after a change of pages */
    }
    const uint32_t room = (UINT32_MAX - newest.limit) / COUNTER_BLOCK;
    newest.limit += (damaged < room ? damaged : room) * COUNTER_BLOCK;
    return newest;
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

/* Go on in the next page that can be erased. Returns false if none can but that of the newest record. */
static bool change_page(struct flash_log *log) {
    for (uint32_t tries = 0; tries < log->flash->page_count; tries++) {
        log->page = page_after(log->flash, log->page);
        log->offset = log->flash->page_bytes; /* no room, until it is blank */
        if (log->page == log->newest) {
            return false;
        }
        if (log->flash->erase(log->page) && is_blank(log->flash, log->page)) {
            log->offset = 0;
            return true;
        }
    }
    return false;
}

bool flash_log_write(struct flash_log *log, const struct board_numbers *numbers) {
    const uint32_t words[FLASH_LOG_WORDS] = {numbers->limit, numbers->boots, checksum(numbers), FLASH_LOG_MARK};
    for (uint32_t failures = 0; failures < MAX_FAILURES; failures++) {
        if ((log->page == FLASH_LOG_NO_PAGE || log->offset >= log->flash->page_bytes) && !change_page(log)) {
            return false;
        }
        const uint32_t offset = log->offset;
        uint32_t read[FLASH_LOG_WORDS];
        log->offset += FLASH_LOG_RECORD_BYTES;
        if (log->flash->program(log->page, offset, words) && log->flash->read(log->page, offset, read) &&
            memcmp(read, words, sizeof words) == 0) {
            log->newest = log->page;
            return true;
        }
    }
    return false;
}
