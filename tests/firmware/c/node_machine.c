/* Simulated board for firmware/src/node.c: a test controls clock, radio and sleep by these variables. */
#include <string.h>

#include "board.h"
#include "encoder.h"
#include "line.h"
#include "radio.h"

uint8_t line_device = 7;

uint32_t machine_micros;
bool machine_woke;
bool machine_starts;
bool machine_sends;
uint32_t machine_air_micros; /* time that sending a packet takes */
uint32_t machine_started;    /* calls of radio_start() */
uint32_t machine_slept;      /* calls of radio_sleep() */
uint8_t machine_packet[RADIO_MAX_BYTES];
size_t machine_packet_bytes;

uint32_t board_micros(void) {
    return machine_micros;
}

uint32_t board_cycles(void) {
    return machine_micros;
}

bool board_woke(void) {
    return machine_woke;
}

bool radio_start(const struct radio_settings *settings) {
    (void)settings;
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
