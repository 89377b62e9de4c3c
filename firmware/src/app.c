#include "app.h"

#include "backoff.h"
#include "board.h"
#include "commands.h"
#include "counter.h"
#include "encoder.h"
#include "gateway.h"
#include "line.h"
#include "mode.h"
#include "node.h"
#include "secure.h"
#include "status.h"
#include "watch.h"

#define STEP_BYTES 4096u /* so that a line that never pauses cannot stop radio and camera */

static struct wire_parser parser;
static uint32_t last_byte_micros; /* or of the start */
static uint32_t begun;            /* commands begun so far, as the parser counts them */
static uint32_t begun_micros;     /* start of the last one */
static bool has_encoder;
static bool active; /* does what nobody asked for, too */

static void handle(enum wire_event event) {
    if (event == WIRE_EVENT_ERROR) {
        line_send_error(parser.request, parser.opcode, parser.error);
        commands_wipe(&parser);
    } else if (event == WIRE_EVENT_COMMAND) {
        enum wire_error error = secure_admit(&parser);
        if (error == WIRE_ERROR_NONE) {
            error = command_execute(&parser);
        }
        commands_wipe(&parser);
        if (error != WIRE_ERROR_NONE) {
            line_send_error(parser.request, parser.opcode, (uint8_t)error);
        }
        watch_command_done();
        board_progress();
    }
}

/* Begin with what nobody asks for, when the time has come. */
static void activate(void) {
    const bool over = backoff_over(); /* also counts the calm time */
    if (!over || active) {
        return;
    }
    active = true;
    counter_count_boot();
    gateway_start();
    if (has_encoder) {
        watch_start();
    }
}

/* Bytes are missing somewhere in the receive buffer, so all of it is dropped. Of all boards on a line that were busy,
 * only one reports the loss: the one for which a command has begun. */
static void drop_received(void) {
    int byte;
    while ((byte = board_read()) >= 0) {
        handle(wire_parser_skip(&parser, (uint8_t)byte));
    }
    handle(wire_parser_overrun(&parser));
}

void app_start(void) {
    wire_parser_init(&parser, line_device, (uint8_t *)encoder_input(), INKLING_INPUT_BYTES);
    counter_start();
    secure_start();
    const enum wire_error model = encoder_start();
    commands_start(model);
    mode_start();
    if (model != WIRE_ERROR_NONE) {
        line_send_error(0, 0, (uint8_t)model); /* unsolicited: tells a host that listens why commands will fail */
    }
    node_start();
    last_byte_micros = board_micros();
    has_encoder = model == WIRE_ERROR_NONE;
    active = false;
    status_start();
    backoff_start();
    activate();
}

static void take(uint8_t byte) {
    handle(wire_parser_push(&parser, byte));
    last_byte_micros = board_micros();
    if (parser.begun != begun) {
        begun = parser.begun;
        begun_micros = last_byte_micros;
    }
}

/* End a command that pauses or takes too long: a partial one keeps the encoder's input. */
static void end_slow_command(void) {
    const uint32_t now = board_micros();
    if (now - last_byte_micros > WIRE_TIMEOUT_MS * 1000u ||
        now - begun_micros > wire_parser_limit_ms(&parser) * 1000u) {
        handle(wire_parser_timeout(&parser));
    }
}

void app_step(void) {
    for (uint32_t count = 0; count < STEP_BYTES; count++) {
        if (board_overrun()) {
            drop_received();
        }
        const int byte = board_read();
        if (byte < 0) {
            break;
        }
        take((uint8_t)byte);
    }
    end_slow_command();
    node_step();
    activate();
    if (active) {
        gateway_step();
    }
    if (active && wire_parser_idle(&parser)) { /* otherwise a partial command is using the encoder's input */
        status_step(board_micros() - last_byte_micros);
        watch_step();
    }
    board_progress();
    board_wait();
}
