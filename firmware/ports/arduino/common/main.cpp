/* Entry: the Arduino core calls setup() once, then loop() forever. */
#include "app.h"
#include "board.h"
#include "core.h"
#include "port.h"

void setup() {
    chip_start();
    serial_start();
    app_start();
}

void loop() {
    app_step();
}

const char *board_target() {
    return INKLING_TARGET;
}

uint32_t board_micros() {
    return static_cast<uint32_t>(micros());
}
