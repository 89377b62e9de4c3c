/* Replies of boards with a radio. */
#include "wire/bytes.h"
#include "wire/reply.h"

void wire_radio_report_write(uint8_t data[WIRE_RADIO_REPORT_BYTES], const struct wire_radio_report *report) {
    uint8_t *next = wire_put_u8(data, report->chunk);
    next = wire_put_u32(next, report->air_micros);
    wire_put_u32(next, report->left_micros);
}

void wire_packet_head_write(uint8_t data[WIRE_PACKET_HEAD_BYTES], const struct wire_packet_head *head) {
    uint8_t *next = wire_put_u8(data, head->crc_ok ? WIRE_PACKET_CRC_OK : 0u);
    next = wire_put_u16(next, (uint16_t)head->rssi_quarter_dbm);
    wire_put_u16(next, (uint16_t)head->snr_quarter_db);
}
