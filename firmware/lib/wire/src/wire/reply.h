/* Replies: the control frame that a board sends, and the data of each reply. docs/SPEC.md defines the bytes. */
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

/* Bytes of a reply, with sync: before its data, and in total. */
#define WIRE_REPLY_START_BYTES (WIRE_SYNC_BYTES + WIRE_HEADER_BYTES + 4u)
#define WIRE_REPLY_BYTES(data) (WIRE_REPLY_START_BYTES + (data) + 4u)

#define WIRE_INFO_BYTES 71u
#define WIRE_RUN_COST_BYTES 12u
#define WIRE_RADIO_REPORT_BYTES 9u
#define WIRE_PACKET_HEAD_BYTES 5u
#define WIRE_BENCH_RESULT_BYTES 17u
#define WIRE_MODE_BYTES 2u /* mode and threshold, in the command and in its reply */
#define WIRE_KEY_STATE_BYTES 5u
#define WIRE_ERROR_BYTES 2u

/* Data of INFO. */
struct wire_info {
    uint8_t firmware_version[3];
    uint32_t model_number;
    const char *engine; /* at most 8 characters are sent */
    const char *target; /* at most 24 characters are sent */
    uint16_t height;
    uint16_t width;
    uint8_t channels;
    uint16_t symbol_count;
    uint8_t bits_per_symbol;
    uint8_t chunk_count;
    uint32_t arena_bytes;
    uint32_t encoder_ram_bytes;
    uint32_t stack_bytes; /* deepest so far; 0 = unknown */
    uint32_t clock_hz;
    uint16_t max_data;    /* data bytes per command */
    uint16_t class_count; /* 0 = no answer head */
    uint8_t mode;         /* enum wire_mode */
    uint8_t threshold;
};

/* Data of RUN and CAPTURE. */
struct wire_run_cost {
    uint32_t encode_cycles;
    uint32_t total_cycles; /* from the start of the work until the frame is ready */
    uint32_t microseconds;
};

/* Data after the cost, for an image sent by radio. */
struct wire_radio_report {
    uint8_t chunk;        /* the chunk that was sent, or WIRE_ANSWER */
    uint32_t air_micros;  /* air time of the packet */
    uint32_t left_micros; /* air time that the duty cycle still allows */
};

/* Data of PACKET before the packet's bytes. */
struct wire_packet_head {
    bool crc_ok;
    int16_t rssi_quarter_dbm;
    int16_t snr_quarter_db;
};

/* Data of BENCH. */
struct wire_bench_result {
    uint8_t repeats;
    uint32_t min_cycles;
    uint32_t max_cycles;
    uint32_t mean_cycles;
    uint32_t microseconds; /* for all repeats */
};

/* Write a reply with `length` bytes of data. opcode: the command's | WIRE_REPLY_BIT, or WIRE_ERROR. */
struct wire_result wire_reply_frame(uint8_t *out, size_t capacity, uint8_t device, uint32_t model_number,
                                    uint8_t opcode, uint8_t request, const uint8_t *data, size_t length);

/* Write the bytes of a reply before its data, for data that are sent in pieces. Returns the CRC-32 so far; continue it
 * over the data with wire_crc32() and send it after them. */
uint32_t wire_reply_start(uint8_t out[WIRE_REPLY_START_BYTES], uint8_t device, uint32_t model_number, uint8_t opcode,
                          uint8_t request, uint16_t length);

/* Write the data of a reply. failed_opcode: 0 if unknown. */
void wire_info_write(uint8_t data[WIRE_INFO_BYTES], const struct wire_info *info);
void wire_run_cost_write(uint8_t data[WIRE_RUN_COST_BYTES], const struct wire_run_cost *cost);
void wire_radio_report_write(uint8_t data[WIRE_RADIO_REPORT_BYTES], const struct wire_radio_report *report);
void wire_packet_head_write(uint8_t data[WIRE_PACKET_HEAD_BYTES], const struct wire_packet_head *head);
void wire_bench_result_write(uint8_t data[WIRE_BENCH_RESULT_BYTES], const struct wire_bench_result *result);
void wire_key_state_write(uint8_t data[WIRE_KEY_STATE_BYTES], uint8_t flags, uint32_t counter);
void wire_error_write(uint8_t data[WIRE_ERROR_BYTES], uint8_t code, uint8_t failed_opcode);

#ifdef __cplusplus
}
#endif

#endif
