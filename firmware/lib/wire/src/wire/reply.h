/* Replies: the control frame that a board sends, and the data of each kind. */
#ifndef INKLING_WIRE_REPLY_H
#define INKLING_WIRE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/control.h"
#include "wire/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a reply with its sync: those before its data, and all of them. */
#define WIRE_REPLY_START_BYTES (WIRE_SYNC_BYTES + WIRE_HEADER_BYTES + 4u)
#define WIRE_REPLY_BYTES(data) (WIRE_REPLY_START_BYTES + (data) + 4u)

#define WIRE_INFO_BYTES 67u
#define WIRE_RUN_COST_BYTES 12u
#define WIRE_RADIO_REPORT_BYTES 9u
#define WIRE_PACKET_HEAD_BYTES 5u
#define WIRE_BENCH_RESULT_BYTES 17u
#define WIRE_ERROR_BYTES 2u

/* The INFO reply; sizes in bytes. */
struct wire_info {
    uint8_t firmware_version[3];
    uint32_t model_number;
    const char *engine; /* cut at 8 characters */
    const char *target; /* cut at 24 characters */
    uint16_t height;
    uint16_t width;
    uint8_t channels;
    uint16_t symbols;
    uint8_t bits_per_symbol;
    uint8_t chunks;
    uint32_t arena_bytes;
    uint32_t encoder_ram_bytes;
    uint32_t stack_bytes; /* deepest so far; 0 = unknown */
    uint32_t clock_hz;
    uint16_t max_data;
};

struct wire_run_cost {
    uint32_t encode_cycles;
    uint32_t total_cycles;
    uint32_t microseconds;
};

/* What follows the cost of a picture that went out by radio. */
struct wire_radio_report {
    uint8_t chunk;        /* that was sent */
    uint32_t air_micros;  /* of the packet */
    uint32_t left_micros; /* air time that the duty cycle allows now */
};

/* What comes before a packet's bytes in PACKET. */
struct wire_packet_head {
    bool crc_ok;
    int16_t rssi_quarter_dbm;
    int16_t snr_quarter_db;
};

struct wire_bench_result {
    uint8_t repeats;
    uint32_t min_cycles;
    uint32_t max_cycles;
    uint32_t mean_cycles;
    uint32_t microseconds; /* of all repeats */
};

/* A whole reply around `length` bytes of data. `opcode` is the reply's own: the command's | WIRE_REPLY_BIT,
 * or WIRE_ERROR. */
struct wire_result wire_reply_frame(uint8_t *out, size_t capacity, uint8_t device, uint32_t model_number,
                                    uint8_t opcode, uint8_t request, const uint8_t *data, size_t length);

/* The bytes of a reply before its data, for data that go out in pieces. Returns the CRC-32 so far: it goes on over the
 * data, by wire_crc32(), and follows them. */
uint32_t wire_reply_start(uint8_t out[WIRE_REPLY_START_BYTES], uint8_t device, uint32_t model_number, uint8_t opcode,
                          uint8_t request, uint16_t length);

/* The data of a reply, as bytes; `failed_opcode` is 0 when it is not known. */
void wire_info_write(uint8_t data[WIRE_INFO_BYTES], const struct wire_info *info);
void wire_run_cost_write(uint8_t data[WIRE_RUN_COST_BYTES], const struct wire_run_cost *cost);
void wire_radio_report_write(uint8_t data[WIRE_RADIO_REPORT_BYTES], const struct wire_radio_report *report);
void wire_packet_head_write(uint8_t data[WIRE_PACKET_HEAD_BYTES], const struct wire_packet_head *head);
void wire_bench_result_write(uint8_t data[WIRE_BENCH_RESULT_BYTES], const struct wire_bench_result *result);
void wire_error_write(uint8_t data[WIRE_ERROR_BYTES], uint8_t code, uint8_t failed_opcode);

#ifdef __cplusplus
}
#endif

#endif
