/* LoRa radio interface, point to point. A port with a radio implements it and sets INKLING_RADIO=1. */
#ifndef INKLING_RADIO_H
#define INKLING_RADIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RADIO_MAX_BYTES 255u

struct radio_settings {
    uint32_t frequency_hz;
    uint32_t bandwidth_hz;
    uint8_t spreading_factor; /* 7..12 */
    uint8_t coding_rate;      /* 5..8, for 4/5..4/8 */
    uint16_t preamble_symbols;
    uint8_t implicit_bytes; /* 0: explicit header; otherwise implicit header, and the length of every packet */
    int8_t power_dbm;
    uint8_t sync_word;
};

/* Reception of a packet, as reported by the radio. */
struct radio_reception {
    bool crc_ok;
    int16_t rssi_quarter_dbm; /* in 1/4 dBm */
    int16_t snr_quarter_db;   /* in 1/4 dB */
};

/* Configure the radio. Returns false if it does not respond or does not support the settings. */
bool radio_start(const struct radio_settings *settings);

/* Send one packet, with CRC; returns when it has been sent. Returns false if it could not be sent. */
bool radio_send(const uint8_t *packet, size_t length);

/* Start receiving, until the next radio_send(). Returns false if the radio does not respond. */
bool radio_listen(void);

/* Return true while the radio receives: not after radio_send(), nor after the radio has failed. */
bool radio_listening(void);

/* Ask the radio itself whether it receives. Returns false after it has left its receive mode without being told to.
 * Also finds a packet whose interrupt was missed, for radio_receive(). */
bool radio_receives(void);

/* Get a packet received since the last call, even if its CRC is wrong. Returns its length in bytes; 0 = none. */
size_t radio_receive(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception);

/* Put the radio into its lowest-power mode, before the board sleeps. */
void radio_sleep(void);

#ifdef __cplusplus
}
#endif

#endif
