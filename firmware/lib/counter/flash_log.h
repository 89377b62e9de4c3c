/* Permanent memory for board_numbers_read() and _write(): a log of records in two or more pages of raw flash.
 *
 * A record is FLASH_LOG_WORDS words: limit, boots, CRC-32 of both, FLASH_LOG_MARK. Records follow each other in a page;
 * when it is full, the next page is erased. The newest record, the one with the highest limit, is never erased.
 *
 * A device key stands in the first two slots of each page: 3 words of it and a mark; its last word, the CRC-32 of the
 * whole key, 0 and a second mark. The records of such a page have a mark of their own, so that a damaged key is not
 * taken for none. The key in the page of the newest record is that of the board. A new key goes to the next page, and
 * takes effect with the first record there, which is written twice. So a key is never apart from its limit.
 *
 * Power may fail at any time, also within a word or an erasure:
 *
 * - A record that was not completed is not valid, or has its value. Nothing in it has been used yet.
 * - The slot after the last record that is not blank may hold the weak beginning of another one, which reads as blank
 *   now and not later. It stays unused after a restart.
 * - A page that was not completely erased is erased again before it is used.
 * - A page that was to get a new key, and has no record yet, is erased before the next record of the old page: a record
 *   that was not completed must not turn valid later. If two records have one limit, that of the later boot is newer.
 * - Behind the newest valid record, one that is not valid might be one that was valid once and has lost bits. Each
 *   record reserves COUNTER_BLOCK values, so as many are skipped for it. */
#ifndef INKLING_FLASH_LOG_H
#define INKLING_FLASH_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FLASH_LOG_WORDS 4u
#define FLASH_LOG_RECORD_BYTES 16u
#define FLASH_LOG_MARK 0x494E4B31u
#define FLASH_LOG_KEYED_MARK 0xB6B1B4CEu /* of records in a page with a key; all marks differ in many bits */
#define FLASH_LOG_KEY_MARK 0x4B455931u   /* of the first slot of a key */
#define FLASH_LOG_REST_MARK 0xB4BAA6CEu  /* of the second slot of a key */

/* Flash memory of a port, with pages 0 .. page_count - 1. Its words read as FFFFFFFF after an erasure. */
struct flash_pages {
    uint32_t page_count; /* at least 2 */
    uint32_t page_bytes; /* used per page, a multiple of FLASH_LOG_RECORD_BYTES, at least 4 of them */

    /* Erase a page. Returns false if the flash reports a failure. */
    bool (*erase)(uint32_t page);

    /* Program a record at this offset of a page, which is blank, in the order of the words. Returns false if the flash
     * reports a failure. */
    bool (*program)(uint32_t page, uint32_t offset, const uint32_t words[FLASH_LOG_WORDS]);

    /* Read a record. Returns false if the flash cannot read it: its error correction fails. */
    bool (*read)(uint32_t page, uint32_t offset, uint32_t words[FLASH_LOG_WORDS]);
};

struct flash_log {
    const struct flash_pages *flash;
    uint32_t page;   /* that is being written; FLASH_LOG_NO_PAGE before the first erasure */
    uint32_t offset; /* of the next record in it */
    uint32_t newest; /* page of the newest record; FLASH_LOG_NO_PAGE if there is none */
    bool has_key;    /* in the page that is being written */
    uint8_t key[BOARD_KEY_BYTES];
};

#define FLASH_LOG_NO_PAGE UINT32_MAX

/* Find the newest record. Returns its numbers, zeros if there is none, with the limit raised for damaged records, and
 * the key. */
struct board_numbers flash_log_open(struct flash_log *log, const struct flash_pages *flash);

/* Add a record and read it back, in a new page if the key differs. `limit` must be higher than in all records before.
 * Returns false if the flash is broken or cannot be written; then nothing may be used that the record would have
 * reserved. Only after BOARD_NO_KEY, records may follow without a key. */
bool flash_log_write(struct flash_log *log, const struct board_numbers *numbers);

#ifdef __cplusplus
}
#endif

#endif
