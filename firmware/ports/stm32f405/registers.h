/* Registers used by this port. Sources: ST RM0090 rev 19 (peripherals), ARMv7-M ARM (system). */
#ifndef INKLING_STM32F405_REGISTERS_H
#define INKLING_STM32F405_REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* Reset and clock control: RM0090, 7.3 */
#define RCC_CR REGISTER(0x40023800u)
#define RCC_CR_HSIRDY (1u << 1)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_CFGR_SW_HSI_UNDIVIDED 0u
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS_MASK (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_PPRE1_DIV4 (5u << 10)
#define RCC_CFGR_PPRE2_DIV2 (4u << 13)
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_AHB1ENR_GPIOA (1u << 0)
#define RCC_APB2ENR REGISTER(0x40023844u)
#define RCC_APB2ENR_USART1 (1u << 4)

#define RCC_CSR REGISTER(0x40023874u)
#define RCC_CSR_RMVF (1u << 24)
#define RCC_CSR_BORRSTF (1u << 25)
#define RCC_CSR_PINRSTF (1u << 26)
#define RCC_CSR_PORRSTF (1u << 27)
#define RCC_CSR_SFTRSTF (1u << 28)
#define RCC_CSR_IWDGRSTF (1u << 29)
#define RCC_CSR_WWDGRSTF (1u << 30)

/* Independent watchdog: RM0090, 21.4 */
#define IWDG_KR REGISTER(0x40003000u)
#define IWDG_KR_RELOAD 0xAAAAu
#define IWDG_KR_ACCESS 0x5555u
#define IWDG_KR_START 0xCCCCu
#define IWDG_PR REGISTER(0x40003004u)
#define IWDG_PR_DIV256 6u
#define IWDG_RLR REGISTER(0x40003008u)
#define IWDG_RLR_MAX 0xFFFu

/* Flash: RM0090, 3.9 */
#define FLASH_ACR REGISTER(0x40023C00u)
#define FLASH_ACR_5_WAIT_STATES_CACHED (5u | 7u << 8)
#define FLASH_ACR_DATA_CACHE (1u << 10)
#define FLASH_ACR_DATA_CACHE_RESET (1u << 12)
#define FLASH_KEYR REGISTER(0x40023C04u)
#define FLASH_KEY1 0x45670123u
#define FLASH_KEY2 0xCDEF89ABu
#define FLASH_SR REGISTER(0x40023C0Cu)
#define FLASH_SR_ERRORS 0xF2u
#define FLASH_SR_BUSY (1u << 16)
#define FLASH_CR REGISTER(0x40023C10u)
#define FLASH_CR_PROGRAM_WORDS (1u << 0 | 2u << 8)
#define FLASH_CR_ERASE_SECTOR(sector) (1u << 1 | (sector) << 3 | 2u << 8)
#define FLASH_CR_START (1u << 16)
#define FLASH_CR_LOCK (1u << 31)

/* Pins: RM0090, 8.4 */
#define GPIOA_MODER REGISTER(0x40020000u)
#define GPIOA_PUPDR REGISTER(0x4002000Cu)
#define GPIOA_AFRH REGISTER(0x40020024u)

/* Serial port: RM0090, 30.6 */
#define USART1_SR REGISTER(0x40011000u)
#define USART_SR_ORE (1u << 3)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TXE (1u << 7)
#define USART1_DR REGISTER(0x40011004u)
#define USART1_BRR REGISTER(0x40011008u)
#define USART1_CR1 REGISTER(0x4001100Cu)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_UE (1u << 13)
#define USART1_IRQ 37u

/* SysTick, interrupts, reset: ARMv7-M, B3.3, B3.4, B3.2.6 */
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_CSR_ENABLE_INTERRUPT_CPU_CLOCK 7u
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define NVIC_ISER(n) REGISTER(0xE000E100u + 4u * (n))
#define NVIC_ICER(n) REGISTER(0xE000E180u + 4u * (n))
#define SCB_ICSR REGISTER(0xE000ED04u)
#define SCB_ICSR_PENDSTSET (1u << 26)
#define SCB_VTOR REGISTER(0xE000ED08u)
#define SCB_AIRCR REGISTER(0xE000ED0Cu)
#define SCB_AIRCR_SYSRESETREQ (0x05FA0000u | 1u << 2)

/* Memory protection: ARMv7-M, B3.5 */
#define MPU_CTRL REGISTER(0xE000ED94u)
#define MPU_CTRL_ENABLE_DEFAULT_MAP 5u
#define MPU_RNR REGISTER(0xE000ED98u)
#define MPU_RBAR REGISTER(0xE000ED9Cu)
#define MPU_RASR REGISTER(0xE000EDA0u)
#define MPU_RASR_1_KB_NO_ACCESS (1u << 28 | 9u << 1 | 1u)

#endif
