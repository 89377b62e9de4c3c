/* Test application for a mocked Arduino core: prints the voltage that the port reports, in millivolts, and ends. */
#include <Arduino.h>
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

uint32_t board_micros() {
    return 0;
}

void setup() {
    printf("%u\n", board_battery_mv());
    exit(0);
}

void loop() {}
