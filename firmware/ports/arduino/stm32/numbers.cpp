/* Permanent memory of an STM32: a log in the last pages of its flash. The counters are volatile on an STM32H7, which
 * stops at a word that a loss of power damaged, and where the program reaches these pages. */
#include "../common/core.h"
#include "board.h"
#include "flash_log.h"
#include "reset.h"

#if defined(STM32F4xx) || defined(STM32L4xx) || defined(STM32WLxx)

extern "C" {
extern uint8_t _sidata[], _sdata[],
    _edata[]; /* of the core's linker script: initial values of variables end the flash */
}

namespace {

#ifdef STM32F4xx
constexpr uint32_t PAGES = 2; /* sectors of 128 kB, of which the first 16 kB are used */
constexpr uint32_t PAGE_DISTANCE = 0x20000u;
constexpr uint32_t USED_BYTES = 16384;
constexpr uint32_t FLASH_BYTES = 0x80000u; /* STM32F411xE and F446xE */
constexpr uint32_t FIRST_SECTOR = FLASH_SECTOR_6;
#else
constexpr uint32_t PAGES = 4;
constexpr uint32_t PAGE_DISTANCE = FLASH_PAGE_SIZE;
constexpr uint32_t USED_BYTES = FLASH_PAGE_SIZE;
const uint32_t FLASH_BYTES = FLASH_SIZE; /* read from the chip */
#endif

const uint32_t FIRST_ADDRESS = FLASH_BASE + FLASH_BYTES - PAGES * PAGE_DISTANCE;

#ifdef FLASH_ECCR_ECCD
volatile bool unreadable; /* a word that was being written when power failed: its error correction failed */
#endif

bool erase(uint32_t page) {
    FLASH_EraseInitTypeDef what = {};
    uint32_t failed = 0;
#ifdef STM32F4xx
    what.TypeErase = FLASH_TYPEERASE_SECTORS;
    what.Sector = FIRST_SECTOR + page;
    what.NbSectors = 1;
    what.VoltageRange = FLASH_VOLTAGE_RANGE_3;
#else
    what.TypeErase = FLASH_TYPEERASE_PAGES;
    what.Page = (FLASH_BYTES / FLASH_PAGE_SIZE - PAGES) + page;
    what.NbPages = 1;
#ifdef FLASH_BANK_2 /* two banks of equal size; pages are counted in each */
    what.Banks = FLASH_BANK_2;
    what.Page -= FLASH_BYTES / FLASH_PAGE_SIZE / 2u;
#endif
#endif
    HAL_FLASH_Unlock();
    const bool erased = HAL_FLASHEx_Erase(&what, &failed) == HAL_OK;
    HAL_FLASH_Lock();
    return erased;
}

bool program(uint32_t page, uint32_t offset, const uint32_t words[FLASH_LOG_WORDS]) {
    const uint32_t address = FIRST_ADDRESS + page * PAGE_DISTANCE + offset;
    bool programmed = true;
    HAL_FLASH_Unlock();
#ifdef STM32F4xx
    for (uint32_t i = 0; i < FLASH_LOG_WORDS && programmed; i++) {
        programmed = HAL_FLASH_Program(FLASH_TYPEPROGRAM_WORD, address + 4u * i, words[i]) == HAL_OK;
    }
#else
    for (uint32_t i = 0; i < FLASH_LOG_WORDS && programmed; i += 2u) {
        const uint64_t pair = static_cast<uint64_t>(words[i + 1u]) << 32 | words[i];
        programmed = HAL_FLASH_Program(FLASH_TYPEPROGRAM_DOUBLEWORD, address + 4u * i, pair) == HAL_OK;
    }
#endif
    HAL_FLASH_Lock();
    return programmed;
}

bool read(uint32_t page, uint32_t offset, uint32_t words[FLASH_LOG_WORDS]) {
    const uintptr_t address = FIRST_ADDRESS + page * PAGE_DISTANCE + offset;
#ifdef FLASH_ECCR_ECCD
    unreadable = false;
#endif
    for (uint32_t i = 0; i < FLASH_LOG_WORDS; i++) {
        words[i] = reinterpret_cast<volatile const uint32_t *>(address)[i];
    }
#ifdef FLASH_ECCR_ECCD
    return !unreadable;
#else
    return true;
#endif
}

const struct flash_pages pages = {PAGES, USED_BYTES, erase, program, read};
struct flash_log recorded;

bool is_free() {
    const uintptr_t bytes = reinterpret_cast<uintptr_t>(_edata) - reinterpret_cast<uintptr_t>(_sdata);
    return reinterpret_cast<uintptr_t>(_sidata) + bytes <= FIRST_ADDRESS;
}

} // namespace

#ifdef FLASH_ECCR_ECCD
/* The reading goes on after it. Anywhere else than in the log, such a word is part of the program. */
extern "C" void NMI_Handler() {
    if ((FLASH->ECCR & FLASH_ECCR_ECCD) == 0u) {
        reset_by_crash();
    }
    FLASH->ECCR |= FLASH_ECCR_ECCD;
    unreadable = true;
}
#endif

bool board_numbers_read(struct board_numbers *numbers) {
    if (!is_free()) {
        return false;
    }
    *numbers = flash_log_open(&recorded, &pages);
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    return flash_log_write(&recorded, numbers);
}

#else

bool board_numbers_read(struct board_numbers *) {
    return false;
}

bool board_numbers_write(const struct board_numbers *) {
    return false;
}

#endif
