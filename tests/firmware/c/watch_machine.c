/* Simulated board for firmware/src/app.c and watch.c: a test controls clock, camera, serial line and a sleep that
 * returns by these variables. */
#include <string.h>

#include "board.h"
#include "capture.h"
#include "commands.h"
#include "encoder.h"
#include "gateway.h"
#include "image.h"
#include "line.h"
#include "node.h"
#include "secure.h"
#include "wire/status.h"

uint8_t line_device = 7;

uint32_t machine_micros;
uint32_t machine_command_micros; /* duration of each command */
uint8_t machine_scene;           /* value of every camera pixel */
uint32_t machine_captures;       /* images captured */
uint32_t machine_frames;         /* frames sent: features and answers */
uint32_t machine_answers;        /* answers sent */
uint32_t machine_number;         /* of the last frame on the line */
uint32_t machine_sleeps;         /* calls of board_sleep() */
uint32_t machine_commands;       /* commands executed */
uint32_t machine_progress;       /* calls of board_progress() */
uint32_t machine_writes;         /* of the permanent memory */
uint32_t machine_key;            /* it has a device key, 16 times A5 */
uint32_t machine_worn;           /* it takes no writes */
uint32_t machine_error;          /* code of the last ERROR */
uint32_t machine_reset_cause;
uint32_t machine_kept;
const uint8_t *machine_received; /* bytes to receive */
uint32_t machine_received_bytes;
uint32_t machine_statuses;                         /* status frames sent, on the line or by radio */
uint8_t machine_status[WIRE_SECURED_STATUS_BYTES]; /* data of the last one */
uint32_t machine_status_opcode;
uint32_t machine_woke; /* result of board_woke() */

int board_read(void) {
    if (machine_received_bytes == 0u) {
        return -1;
    }
    machine_received_bytes--;
    return *machine_received++;
}

bool board_overrun(void) {
    return false;
}

void board_wait(void) {}

uint32_t board_micros(void) {
    return machine_micros;
}

bool board_woke(void) {
    return machine_woke != 0u;
}

void board_sleep(uint32_t seconds) {
    machine_sleeps++;
    machine_micros += seconds * 1000000u; /* modulo 2^32 */
}

bool board_numbers_read(struct board_numbers *numbers) {
    memset(numbers, 0, sizeof *numbers);
    if (machine_key != 0u) {
        numbers->key_state = BOARD_KEY;
        memset(numbers->key, 0xA5, sizeof numbers->key);
    }
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    (void)numbers;
    machine_writes++;
    return machine_worn == 0u;
}

uint8_t board_reset_cause(void) {
    return (uint8_t)machine_reset_cause;
}

uint32_t board_kept(void) {
    return machine_kept;
}

void board_keep(uint32_t word) {
    machine_kept = word;
}

void board_progress(void) {
    machine_progress++;
}

void commands_start(enum wire_error encoder) {
    (void)encoder;
}

enum wire_error command_execute(const struct wire_parser *command) {
    (void)command;
    machine_commands++;
    machine_micros += machine_command_micros;
    return WIRE_ERROR_NONE;
}

void commands_wipe(const struct wire_parser *command) {
    (void)command;
}

enum wire_error capture_take(void) {
    machine_captures++;
    memset(encoder_input(), machine_scene, INKLING_INPUT_BYTES);
    return WIRE_ERROR_NONE;
}

void capture_stop(void) {}

void image_to_int8(void) {
    int8_t *input = encoder_input();
    for (uint32_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        input[i] = (int8_t)((uint8_t)input[i] - 128);
    }
}

uint32_t line_send_feature(uint32_t number, uint8_t chunk, const int8_t *outputs) {
    machine_number = number;
    (void)chunk;
    (void)outputs;
    machine_frames++;
    return 0;
}

uint32_t line_send_answer(uint32_t number, struct wire_answer answer) {
    machine_number = number;
    (void)answer;
    machine_frames++;
    machine_answers++;
    return 0;
}

static void record_status(uint8_t opcode, const uint8_t *data, size_t length) {
    machine_statuses++;
    machine_status_opcode = opcode;
    memcpy(machine_status, data, length);
}

void line_send_reply(uint8_t request, uint8_t opcode, const uint8_t *data, size_t length) {
    if (request == 0u && (opcode & ~WIRE_SEALED_BIT) == WIRE_STATUS && length <= sizeof machine_status) {
        record_status(opcode, data, length);
    }
}

#if INKLING_GATEWAY

void gateway_start(void) {}

void gateway_step(void) {}

#elif INKLING_RADIO

uint32_t machine_radio_error; /* result of sending a packet */
uint32_t machine_sequence;    /* of the last packet */

void node_start(void) {}

void node_step(void) {}

uint8_t node_mode(uint8_t mode) {
    return mode;
}

enum wire_error node_check_features(uint8_t chunk) {
    (void)chunk;
    return WIRE_ERROR_NONE;
}

enum wire_error node_check_answer(void) {
    return WIRE_ERROR_NONE;
}

enum wire_error node_send_features(uint32_t number, uint8_t chunk, const int8_t *outputs, struct send_result *result) {
    (void)chunk;
    (void)outputs;
    (void)result;
    machine_sequence = number & 31u;
    return (enum wire_error)machine_radio_error;
}

enum wire_error node_send_answer(uint32_t number, struct wire_answer answer, struct send_result *result) {
    (void)answer;
    (void)result;
    machine_sequence = number & 31u;
    return (enum wire_error)machine_radio_error;
}

uint32_t machine_status_error; /* result of sending a status frame */
uint32_t machine_patient;      /* how the last one was sent */

enum wire_error node_send_status(const uint8_t *data, bool patient) {
    machine_patient = patient;
    if (machine_status_error != 0u) {
        return (enum wire_error)machine_status_error;
    }
    record_status(secure_status_opcode(), data, secure_status_bytes());
    return WIRE_ERROR_NONE;
}

uint32_t node_status_micros(void) {
    return 80000u;
}

uint16_t node_air_left_cs(void) {
    return 321u;
}

void node_sleep(uint32_t seconds) {
    (void)seconds;
}

void node_wake(void) {}

#endif

void line_send_error(uint8_t request, uint8_t failed_opcode, uint8_t code) {
    (void)request;
    (void)failed_opcode;
    machine_error = code;
}

uint16_t board_battery_mv(void) {
    return 3712u;
}
