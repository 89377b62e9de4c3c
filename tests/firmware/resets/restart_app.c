/* Test application for the native port: its watchdog. 'L' loops without end, 'W' works for 3 s with progress. 'C'
 * answers with the cause of the last start, 'K' with the kept word, which is then one more, 'B' with the count of
 * boots, 'S' with the state of the device key. 'A' sets one and answers whether it was taken. */
#include "app.h"
#include "board.h"
#include "counter.h"
#include "line.h"

uint8_t line_device;

static void answer(uint32_t digit) {
    const uint8_t line[] = {(uint8_t)('0' + digit), '\n'};
    board_write(line, sizeof line);
}

static void work(void) {
    const uint32_t start = board_micros();
    while (board_micros() - start < 3000000u) {
        board_progress();
    }
    answer(0);
}

void app_start(void) {
    counter_start();
    counter_count_boot();
}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'C') {
        answer(board_reset_cause());
    } else if (byte == 'K') {
        answer(board_kept());
        board_keep(board_kept() + 1u);
    } else if (byte == 'B') {
        answer(counter_boots());
    } else if (byte == 'S') {
        answer(counter_key());
    } else if (byte == 'A') {
        static const uint8_t key[BOARD_KEY_BYTES] = {0xA0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0x0F};
        answer(counter_set_key(key));
    } else if (byte == 'W') {
        work();
    }
    while (byte == 'L') {
    }
    board_progress();
    board_wait();
}
