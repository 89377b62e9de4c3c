/* Sending end of a radio link (INKLING_RADIO=1): sends frames as LoRa packets, within the duty cycle. Fails on boards
 * without a radio and on gateways, which only receive. */
#ifndef INKLING_NODE_H
#define INKLING_NODE_H

#include <stdint.h>

#include "send.h"
#include "wire/answer.h"
#include "wire/control.h"
#include "wire/status.h"

#if INKLING_RADIO && !INKLING_GATEWAY

/* Call once, first. Restores the duty cycle's state after a deep sleep. */
void node_start(void);

/* Update the duty cycle. Call more often than board_micros() wraps (every 71 minutes). */
void node_step(void);

/* Return the mode by radio. With implicit headers all packets have one length, so that WIRE_MODE_ADAPTIVE becomes the
 * mode of the only packet that can be sent. */
uint8_t node_mode(uint8_t mode);

/* Air time of the longest packet that is sent. A radio that does not report the end of a packet is given up after 1.5
 * times its air time, which must be less than the watchdog's time-out: 30 s on an STM32WL (docs/firmware.md). */
#define NODE_LONGEST_MICROS 18000000u

/* Check that this chunk, or WIRE_LONGEST_PREFIX, could be sent now, before an image is encoded for it. Returns
 * WIRE_ERROR_NONE, _BAD_ARGUMENT (no such chunk, or none that fits a packet and NODE_LONGEST_MICROS), _RADIO (no
 * response) or _AIR_TIME. */
enum wire_error node_check_features(uint8_t chunk);

/* The same for an answer; _BAD_ARGUMENT if implicit headers have the length of a chunk. */
enum wire_error node_check_answer(void);

/* Send a chunk of the encoder's outputs, as secure_feature_frame() writes it. Returns WIRE_ERROR_NONE and the result
 * once the packet has been sent; otherwise an error as for node_check_features(). */
enum wire_error node_send_features(uint32_t number, uint8_t chunk, const int8_t *outputs, struct send_result *result);

/* Send an answer, in the same way. */
enum wire_error node_send_answer(uint32_t number, struct wire_answer answer, struct send_result *result);

/* Send a status frame with the secure_status_bytes() of this data. With implicit headers, it is padded with zeros to
 * the length of all packets. patient: only if the air time allows the longest image right after it. Returns
 * WIRE_ERROR_NONE, _AIR_TIME, _RADIO, or _BAD_ARGUMENT if packets with implicit headers are shorter. */
enum wire_error node_send_status(const uint8_t *data, bool patient);

/* Return the air time of a status frame in microseconds. */
uint32_t node_status_micros(void);

/* Return the air time that the duty cycle still allows, in hundredths of a second; WIRE_AIR_NOT_LIMITED without a limit
 * or a radio that sends. */
uint16_t node_air_left_cs(void);

/* Set up the radio anew for the next packet: with a key, packets with implicit headers are longer. */
void node_restart(void);

/* Call right before board_sleep(), with the same number of seconds. */
void node_sleep(uint32_t seconds);

/* Call when board_sleep() returns, to count sleeps longer than the clock's range. */
void node_wake(void);

#else

static inline void node_start(void) {}

static inline void node_step(void) {}

static inline uint8_t node_mode(uint8_t mode) {
    return mode;
}

static inline enum wire_error node_check_features(uint8_t chunk) {
    (void)chunk;
    return WIRE_ERROR_RADIO;
}

static inline enum wire_error node_check_answer(void) {
    return WIRE_ERROR_RADIO;
}

static inline enum wire_error node_send_features(uint32_t number, uint8_t chunk, const int8_t *outputs,
                                                 struct send_result *result) {
    (void)number;
    (void)outputs;
    (void)result;
    return node_check_features(chunk);
}

static inline enum wire_error node_send_answer(uint32_t number, struct wire_answer answer, struct send_result *result) {
    (void)number;
    (void)answer;
    (void)result;
    return node_check_answer();
}

static inline enum wire_error node_send_status(const uint8_t *data, bool patient) {
    (void)data;
    (void)patient;
    return WIRE_ERROR_RADIO;
}

static inline uint32_t node_status_micros(void) {
    return 0;
}

static inline uint16_t node_air_left_cs(void) {
    return WIRE_AIR_NOT_LIMITED;
}

static inline void node_restart(void) {}

static inline void node_sleep(uint32_t seconds) {
    (void)seconds;
}

static inline void node_wake(void) {}

#endif

#endif
