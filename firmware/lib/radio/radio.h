/* A LoRa radio, point to point, on boards that have one. A port implements it; INKLING_RADIO=1 says that it does. */
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
    uint8_t implicit_bytes; /* length of every packet, which then has no header of the radio's; 0 = with header */
    int8_t power_dbm;
    uint8_t sync_word;
};

/* What the radio says of a received packet besides its bytes. */
struct radio_reception {
    bool crc_ok;
    int16_t rssi_quarter_dbm; /* in quarters of a dBm */
    int16_t snr_quarter_db;   /* in quarters of a dB */
};

/* Sets the radio up. False when it does not answer or cannot do what is asked of it. */
bool radio_start(const struct radio_settings *settings);

/* Sends one packet, CRC on; returns when it is out. False when it could not be sent. */
bool radio_send(const uint8_t *packet, size_t length);

/* Listens from now on, until something is sent. False when the radio does not answer. */
bool radio_listen(void);

/* Whether it still listens: not once something was sent, or the radio has failed or gone. */
bool radio_listening(void);

/* A packet that came since the last call, its payload even when its CRC is wrong: its length; 0 = none. */
size_t radio_receive(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception);

/* The lowest power the radio has, before the board sleeps. */
void radio_sleep(void);

#ifdef __cplusplus
}
#endif

#endif
