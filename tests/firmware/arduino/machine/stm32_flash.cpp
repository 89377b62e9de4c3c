/* Mock of an STM32's reset flags, backup registers, watchdog and flash, which is the file INKLING_FLASH. */
#include <Arduino.h>
#include <backup.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

RCC_TypeDef mock_rcc;
IWDG_TypeDef mock_iwdg;
#ifdef FLASH_ECCR_ECCD
FLASH_TypeDef mock_flash;
#endif

#ifndef MOCK_PROGRAM_END
#define MOCK_PROGRAM_END 0x08020000
#endif
#define AS_TEXT(value) #value
#define ABSOLUTE(value) AS_TEXT(value)

/* Of the linker script. */
__asm__(".globl mock_sidata, mock_sdata, mock_edata\n"
        "mock_sidata = " ABSOLUTE(MOCK_PROGRAM_END) " - 0x100\n"
                                                    "mock_sdata = 0x20000000\n"
                                                    "mock_edata = 0x20000100\n");

namespace {

constexpr size_t FLASH_BYTES = 0x100000;
uint32_t backup[5];
[[maybe_unused]] bool locked = true;
uint8_t *flash;

/* Map the flash at its address, before main(). */
struct Start {
    Start() {
        const char *name = getenv("INKLING_FLASH");
        const int file = name != nullptr ? open(name, O_RDWR | O_CREAT, 0600) : -1;
        const bool fresh = file < 0 || lseek(file, 0, SEEK_END) == 0;
        if (file >= 0 && ftruncate(file, FLASH_BYTES) != 0) {
            abort();
        }
        const int flags = (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_FIXED_NOREPLACE;
        void *address = reinterpret_cast<void *>(FLASH_BASE);
        // cppcheck-suppress invalidFunctionArg - an anonymous mapping has descriptor -1
        flash = static_cast<uint8_t *>(mmap(address, FLASH_BYTES, PROT_READ | PROT_WRITE, flags, file, 0));
        if (fresh) {
            memset(flash, 0xFF, FLASH_BYTES);
        }
        unsigned index;
        unsigned word;
        int used;
        for (const char *at = getenv("INKLING_BACKUP");
             at != nullptr && sscanf(at, "%1u=%x%n", &index, &word, &used) == 2;
             at += used + (at[used] == ',' ? 1 : 0)) {
            backup[index % 5] = word;
        }
        const char *text = getenv("INKLING_RESET");
        mock_rcc.CSR = mock_rcc.RSR = text != nullptr ? static_cast<uint32_t>(strtoul(text, nullptr, 16)) : 0u;
    }
} const start;

} // namespace

void enableBackupDomain() {}

void setBackupRegister(uint32_t index, uint32_t value) {
    if (value != backup[index]) {
        note("backup %u %08x", index, value);
    }
    backup[index] = value;
}

uint32_t getBackupRegister(uint32_t index) {
    return backup[index];
}

#ifndef STM32H7xx
HAL_StatusTypeDef HAL_FLASH_Unlock() {
    locked = false;
    return HAL_OK;
}

HAL_StatusTypeDef HAL_FLASH_Lock() {
    locked = true;
    return HAL_OK;
}

HAL_StatusTypeDef HAL_FLASH_Program(uint32_t, uint32_t Address, uint64_t Data) {
    if (getenv("INKLING_READ_ONLY") != nullptr) {
        return HAL_ERROR;
    }
    uint8_t *place = flash + (Address - FLASH_BASE);
#ifdef STM32F4xx
    const auto word = static_cast<uint32_t>(Data);
    memcpy(place, &word, sizeof word);
#else
    memcpy(place, &Data, sizeof Data);
#endif
    return locked ? HAL_ERROR : HAL_OK;
}

HAL_StatusTypeDef HAL_FLASHEx_Erase(FLASH_EraseInitTypeDef *what, uint32_t *) {
#ifdef STM32F4xx
    const size_t bytes = 0x20000;
    const size_t start_at = (what->Sector - 4) * bytes + 0x00000; /* sector 5 begins at 0x20000 */
    note("erase sector %u", what->Sector);
#else
    const size_t bytes = FLASH_PAGE_SIZE;
    size_t start_at = what->Page * bytes;
#ifdef FLASH_BANK_2
    start_at += FLASH_SIZE / 2;
#endif
    note("erase page %u", what->Page);
#endif
    memset(flash + start_at, 0xFF, bytes);
    return locked ? HAL_ERROR : HAL_OK;
}
#endif
