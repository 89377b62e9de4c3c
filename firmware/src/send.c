#include "send.h"

#include "encoder.h"
#include "line.h"
#include "mode.h"
#include "node.h"

static uint8_t mode_of(const struct send_request *request) {
    const uint8_t mode = request->by_mode ? mode_get().mode : (uint8_t)WIRE_MODE_FEATURES;
    return request->by_radio ? node_mode(mode) : mode;
}

enum wire_error send_check(const struct send_request *request) {
    const uint8_t mode = mode_of(request);
    if (!request->by_radio) {
        const bool answers = mode == WIRE_MODE_ANSWER;
        return answers || request->chunk < inkling_model.chunk_count ? WIRE_ERROR_NONE : WIRE_ERROR_BAD_ARGUMENT;
    }
    if (mode == WIRE_MODE_ANSWER) {
        return node_check_answer();
    }
    const enum wire_error error = node_check_features(request->chunk);
    return mode == WIRE_MODE_ADAPTIVE && error == WIRE_ERROR_AIR_TIME ? node_check_answer() : error;
}

static enum wire_error send_by_radio(const struct send_request *request, uint8_t mode, bool answers,
                                     struct wire_answer answer, const int8_t *outputs, struct send_result *result) {
    if (!answers) {
        const enum wire_error error = node_send_features(request->number, request->chunk, outputs, result);
        if (mode != WIRE_MODE_ADAPTIVE || error != WIRE_ERROR_AIR_TIME) {
            return error;
        }
    }
    return node_send_answer(request->number, answer, result);
}

enum wire_error send_image(const struct send_request *request, const int8_t *outputs, struct send_result *result) {
    const uint8_t mode = mode_of(request);
    struct wire_answer answer = {0};
    if (mode != WIRE_MODE_FEATURES) {
        answer = wire_answer_of(&inkling_model, outputs + INKLING_LATENT_BYTES);
    }
    const bool answers = mode == WIRE_MODE_ANSWER || (mode == WIRE_MODE_ADAPTIVE && mode_is_sure(answer));
    if (request->by_radio) {
        return send_by_radio(request, mode, answers, answer, outputs, result);
    }
    result->ready_cycles = answers ? line_send_answer(request->number, answer)
                                   : line_send_feature(request->number, request->chunk, outputs);
    return WIRE_ERROR_NONE;
}
