/* Mock of CMSIS and HAL for the STM32F4, L4, H7 and WL: reset flags, watchdog, flash. */
#pragma once

#include <stdint.h>

struct RCC_TypeDef {
    volatile uint32_t CSR;
    volatile uint32_t RSR;
};
extern RCC_TypeDef mock_rcc;
#define RCC (&mock_rcc)

struct IWDG_TypeDef {
    volatile uint32_t KR, PR, RLR;
};
extern IWDG_TypeDef mock_iwdg;

#ifdef STM32H7xx
#define IWDG1 (&mock_iwdg)
#define RCC_RSR_RMVF (1u << 16)
#define RCC_RSR_BORRSTF (1u << 21)
#define RCC_RSR_PINRSTF (1u << 22)
#define RCC_RSR_PORRSTF (1u << 23)
#define RCC_RSR_SFTRSTF (1u << 24)
#define RCC_RSR_IWDG1RSTF (1u << 26)
#define RCC_RSR_WWDG1RSTF (1u << 28)
#else
#define IWDG (&mock_iwdg)
#define RCC_CSR_PINRSTF (1u << 26)
#define RCC_CSR_SFTRSTF (1u << 28)
#define RCC_CSR_IWDGRSTF (1u << 29)
#define RCC_CSR_WWDGRSTF (1u << 30)
#ifdef STM32F4xx
#define RCC_CSR_RMVF (1u << 24)
#define RCC_CSR_BORRSTF (1u << 25)
#define RCC_CSR_PORRSTF (1u << 27)
#else
#define RCC_CSR_RMVF (1u << 23)
#define RCC_CSR_BORRSTF (1u << 27)
#endif
#endif

#define FLASH_BASE 0x08000000UL

/* Symbols of the core's linker script; the host's linker defines one of them itself. */
#define _sidata mock_sidata
#define _sdata mock_sdata
#define _edata mock_edata

typedef enum { HAL_OK = 0x00, HAL_ERROR = 0x01 } HAL_StatusTypeDef;

#ifdef STM32F4xx
#define FLASH_SECTOR_6 6U
#define FLASH_TYPEERASE_SECTORS 0x00U
#define FLASH_VOLTAGE_RANGE_3 0x02U
#define FLASH_TYPEPROGRAM_WORD 0x02U
typedef struct {
    uint32_t TypeErase, Banks, Sector, NbSectors, VoltageRange;
} FLASH_EraseInitTypeDef;
#elif !defined(STM32H7xx)
#define FLASH_ECCR_ECCD (1u << 31)
#define FLASH_TYPEERASE_PAGES 0x00U
#define FLASH_TYPEPROGRAM_DOUBLEWORD 0x00U
#define FLASH_PAGE_SIZE 0x800U
#ifdef STM32WLxx
#define FLASH_SIZE 0x40000U
#else
#define FLASH_SIZE 0x100000U
#define FLASH_BANK_2 0x02U
#endif
typedef struct {
    uint32_t TypeErase;
#ifdef FLASH_BANK_2
    uint32_t Banks;
#endif
    uint32_t Page, NbPages;
} FLASH_EraseInitTypeDef;

struct FLASH_TypeDef {
    volatile uint32_t ECCR;
};
extern FLASH_TypeDef mock_flash;
#define FLASH (&mock_flash)
#endif

#ifndef STM32H7xx
extern "C" {
HAL_StatusTypeDef HAL_FLASH_Unlock(void);
HAL_StatusTypeDef HAL_FLASH_Lock(void);
HAL_StatusTypeDef HAL_FLASH_Program(uint32_t TypeProgram, uint32_t Address, uint64_t Data);
HAL_StatusTypeDef HAL_FLASHEx_Erase(FLASH_EraseInitTypeDef *pEraseInit, uint32_t *SectorError);
}
#endif
