#include "gateway.h"

#if INKLING_GATEWAY

#include "board.h"
#include "line.h"
#include "lora.h"

#define CHECK_MICROS 5000000u

static uint32_t checked_micros; /* board_micros() of the last check, or start, of the radio */
static uint8_t packet_count;    /* gaps show the host which packets the serial line lost */

void gateway_start(void) {
    const struct radio_settings settings = lora_settings();
    if (!radio_start(&settings) || !radio_listen()) {
        line_send_error(0, 0, WIRE_ERROR_RADIO);
    }
    checked_micros = board_micros();
}

void gateway_restart(void) {
    if (INKLING_LORA_IMPLICIT) {
        gateway_start();
    }
}

void gateway_step(void) {
    static uint8_t data[WIRE_PACKET_HEAD_BYTES + RADIO_MAX_BYTES];
    uint8_t *packet = data + WIRE_PACKET_HEAD_BYTES;
    struct radio_reception reception;
    size_t length;
    if (board_micros() - checked_micros >= CHECK_MICROS) {
        checked_micros = board_micros();
        if (!radio_receives()) {
            gateway_start();
        }
    }
    while ((length = radio_receive(packet, &reception)) > 0u) {
        const struct wire_packet_head head = {
            .crc_ok = reception.crc_ok,
            .rssi_quarter_dbm = reception.rssi_quarter_dbm,
            .snr_quarter_db = reception.snr_quarter_db,
        };
        wire_packet_head_write(data, &head);
        line_send_reply(packet_count++, WIRE_PACKET, data, WIRE_PACKET_HEAD_BYTES + length);
    }
}

#endif
