/* Simulated board for firmware/src/node.c and send.c: a test controls clock, radio and sleep by these variables. */
#include <string.h>

#include "board.h"
#include "encoder.h"
#include "line.h"
#include "radio.h"

uint8_t line_device = 7;

uint32_t machine_micros;
bool machine_woke;
bool machine_starts;
bool machine_key; /* the permanent memory has a device key, 16 times A5 */
bool machine_sends;
uint32_t machine_air_micros; /* time that sending a packet takes */
uint32_t machine_started;    /* calls of radio_start() */
uint32_t machine_implicit;   /* length of the packets that the radio was set up for; 0: any */
uint32_t machine_slept;      /* calls of radio_sleep() */
uint8_t machine_packet[RADIO_MAX_BYTES];
size_t machine_packet_bytes;
uint32_t machine_line_chunk; /* the last chunk sent on the line, or WIRE_ANSWER */

uint32_t board_micros(void) {
    return machine_micros;
}

uint32_t board_cycles(void) {
    return machine_micros;
}

bool board_woke(void) {
    return machine_woke;
}

bool board_numbers_read(struct board_numbers *numbers) {
    memset(numbers, 0, sizeof *numbers);
    if (machine_key) {
        numbers->key_state = BOARD_KEY;
        memset(numbers->key, 0xA5, sizeof numbers->key);
    }
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    (void)numbers;
    return true;
}

bool radio_start(const struct radio_settings *settings) {
    machine_implicit = settings->implicit_bytes;
    machine_started++;
    return machine_starts;
}

bool radio_send(const uint8_t *packet, size_t length) {
    memcpy(machine_packet, packet, length);
    machine_packet_bytes = length;
    machine_micros += machine_air_micros;
    return machine_sends;
}

void radio_sleep(void) {
    machine_slept++;
}

uint32_t line_send_feature(uint32_t number, uint8_t chunk, const int8_t *outputs) {
    (void)number;
    (void)outputs;
    machine_line_chunk = chunk;
    return machine_micros;
}

uint32_t line_send_answer(uint32_t number, struct wire_answer answer) {
    (void)number;
    (void)answer;
    machine_line_chunk = WIRE_ANSWER;
    return machine_micros;
}
