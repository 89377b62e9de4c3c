#include "gateway.h"

#if INKLING_GATEWAY

#include "line.h"
#include "lora.h"

static bool listening;
static uint8_t count; /* packets so far: by its gaps the host sees what the serial line lost */

void gateway_start(void) {
    const struct radio_settings settings = lora_settings();
    listening = radio_start(&settings) && radio_listen();
    if (!listening) {
        line_send_error(0, 0, WIRE_ERROR_RADIO);
    }
}

void gateway_step(void) {
    static uint8_t data[WIRE_PACKET_HEAD_BYTES + RADIO_MAX_BYTES];
    uint8_t *packet = data + WIRE_PACKET_HEAD_BYTES;
    struct radio_reception reception;
    size_t length;
    while (listening && (length = radio_receive(packet, &reception)) > 0u) {
        const struct wire_packet_head head = {
            .crc_ok = reception.crc_ok,
            .rssi_quarter_dbm = reception.rssi_quarter_dbm,
            .snr_quarter_db = reception.snr_quarter_db,
        };
        wire_packet_head_write(data, &head);
        line_send_reply(count++, WIRE_PACKET, data, WIRE_PACKET_HEAD_BYTES + length);
    }
}

#endif
