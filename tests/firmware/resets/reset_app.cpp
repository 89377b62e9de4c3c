/* Test application for the Arduino ports: prints the cause of the reset, the kept word and the counter, and ends. */
#include <Arduino.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/port.h"
#include "board.h"
#include "counter.h"

#ifdef ARDUINO_ARCH_STM32
extern "C" void HardFault_Handler();
extern "C" void NMI_Handler();
#endif

uint32_t board_micros() {
    return 0;
}

void setup() {
    uint32_t value;
    chip_start();
    printf("cause %u\nkept %u\n", board_reset_cause(), board_kept());
    counter_start();
    counter_count_boot();
    if (const char *digits = getenv("INKLING_KEY")) {
        uint8_t key[BOARD_KEY_BYTES] = {};
        memcpy(key, digits, strnlen(digits, sizeof key));
        printf("set %d\n", counter_set_key(key));
    }
    const bool ok = counter_next(&value);
    uint8_t key[BOARD_KEY_BYTES];
    counter_get_key(key);
    printf("state %d\nfirst %d\n", counter_key(), key[0]);
    printf("ok %d\nboots %u\nvalue %u\n", ok, counter_boots(), value);
    board_progress();
#ifdef ARDUINO_ARCH_STM32
    printf("prescaler %u\nreload %u\nkey %u\n", mock_iwdg.PR, mock_iwdg.RLR, mock_iwdg.KR);
#ifdef FLASH_ECCR_ECCD
    if (const char *kind = getenv("INKLING_NMI")) {
        mock_flash.ECCR = *kind == 'c' ? FLASH_ECCR_ECCD : 0u;
        fflush(stdout);
        NMI_Handler();
        printf("continued 1\n");
    }
#endif
    if (getenv("INKLING_FAULT") != nullptr) {
        fflush(stdout);
        HardFault_Handler();
    }
#endif
    exit(0);
}

void loop() {}
