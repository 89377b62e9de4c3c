#include "../rv32/machine.h"

#include "port.h"

void machine_start(void) {
    timer_start();
    uart_start();
}
