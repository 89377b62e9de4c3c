/* Permanent memory: 16 kB in each of the last two sectors of the flash, 10 and 11. QEMU ignores what is written there,
 * and the sectors read as 0: the log finds them not blank after an erasure and reports that the memory does not work.
 */
#include "../bare/wait.h"

#include "board.h"
#include "flash_log.h"
#include "registers.h"

#define FIRST_SECTOR 10u
#define SECTOR_BYTES 0x20000u
#define FIRST_ADDRESS 0x080C0000u
#define PAGE_BYTES 16384u
/* Of WAIT_POLLS each. An erasure takes 2 s at most (DS8626, table 40). A poll waits for the bus, so that these take 3 s
 * at least and far less than the watchdog waits; during the erasure the chip runs no code from flash anyway. */
#define ERASE_ROUNDS 100u

static bool is_idle(void) {
    return (FLASH_SR & FLASH_SR_BUSY) == 0u;
}

static bool finish(void) {
    bool idle = false;
    for (uint32_t round = 0; round < ERASE_ROUNDS && !idle; round++) {
        idle = wait_until(is_idle, false);
    }
    return idle && (FLASH_SR & FLASH_SR_ERRORS) == 0u;
}

/* The keys are accepted only while the flash is locked: RM0090, 3.6.1. */
static bool unlock(void) {
    if (!finish() && !is_idle()) {
        return false;
    }
    FLASH_SR &= FLASH_SR_ERRORS; /* a 1 clears the bit */
    FLASH_KEYR = FLASH_KEY1;
    FLASH_KEYR = FLASH_KEY2;
    return true;
}

static void lock(void) {
    FLASH_CR = FLASH_CR_LOCK;
}

static volatile uint32_t *address(uint32_t page, uint32_t offset) {
    return &REGISTER(FIRST_ADDRESS + page * SECTOR_BYTES + offset);
}

/* The data cache keeps what was erased: RM0090, 3.5.2. */
static void empty_cache(void) {
    const uint32_t access = FLASH_ACR;
    FLASH_ACR = access & ~FLASH_ACR_DATA_CACHE;
    FLASH_ACR = (access & ~FLASH_ACR_DATA_CACHE) | FLASH_ACR_DATA_CACHE_RESET;
    FLASH_ACR = access;
}

static bool erase(uint32_t page) {
    if (!unlock()) {
        return false;
    }
    FLASH_CR = FLASH_CR_ERASE_SECTOR(FIRST_SECTOR + page);
    FLASH_CR |= FLASH_CR_START;
    const bool erased = finish();
    lock();
    empty_cache();
    return erased;
}

static bool program(uint32_t page, uint32_t offset, const uint32_t words[FLASH_LOG_WORDS]) {
    bool programmed = unlock();
    FLASH_CR = FLASH_CR_PROGRAM_WORDS;
    for (uint32_t i = 0; i < FLASH_LOG_WORDS && programmed; i++) {
        *address(page, offset + 4u * i) = words[i];
        programmed = finish();
    }
    lock();
    return programmed;
}

static bool read(uint32_t page, uint32_t offset, uint32_t words[FLASH_LOG_WORDS]) {
    for (uint32_t i = 0; i < FLASH_LOG_WORDS; i++) {
        words[i] = *address(page, offset + 4u * i);
    }
    return true;
}

static const struct flash_pages pages = {
    .page_count = 2u,
    .page_bytes = PAGE_BYTES,
    .erase = erase,
    .program = program,
    .read = read,
};
static struct flash_log flash_log;

bool board_numbers_read(struct board_numbers *numbers) {
    *numbers = flash_log_open(&flash_log, &pages);
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    return flash_log_write(&flash_log, numbers);
}
