/* Output of a number by a test application: one decimal line. */
#ifndef INKLING_TESTS_ANSWER_H
#define INKLING_TESTS_ANSWER_H

#include <stdint.h>

#include "board.h"

static void answer(uint32_t number) {
    uint8_t text[11];
    size_t next = sizeof text;
    text[--next] = '\n';
    do {
        text[--next] = (uint8_t)('0' + number % 10u);
        number /= 10u;
    } while (number != 0u);
    board_write(text + next, sizeof text - next);
}

#endif
