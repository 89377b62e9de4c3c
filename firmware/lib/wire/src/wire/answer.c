#include "wire/answer.h"

/* Level q = 1..15 is reached if the sum of weights is at most bounds[q - 1] = floor(32768 (1 + exp(-(q - 3) / 2))). */
static const uint32_t bounds[WIRE_MAX_CONFIDENCE] = {
    121840, 86793, 65536, 52642, 44822, 40079, 37202, 35457, 34399, 33757, 33368, 33132, 32988, 32901, 32849,
};

/* Codewords of the bits of a class index, lowest first. */
static const uint16_t class_rows[] = {1148, 1477, 2785, 1811, 15, 101, 149, 3, 5, 17, 33, 1};

struct wire_answer wire_answer_of(const struct wire_model *model, const int8_t *scores) {
    struct wire_answer answer = {0, 0};
    uint32_t sum = 0;
    for (uint16_t i = 1; i < model->class_count; i++) {
        if (scores[i] > scores[answer.index]) {
            answer.index = i;
        }
    }
    for (uint16_t i = 0; i < model->class_count; i++) {
        sum += model->answer_weights[scores[answer.index] - scores[i]];
    }
    while (answer.confidence < WIRE_MAX_CONFIDENCE && sum <= bounds[answer.confidence]) {
        answer.confidence++;
    }
    return answer;
}

uint16_t wire_answer_word(struct wire_answer answer) {
    const uint32_t index = answer.index, level = answer.confidence;
    uint32_t code = 0;
    for (unsigned bit = 0; bit < sizeof class_rows / sizeof *class_rows; bit++) {
        if ((index >> bit) & 1u) {
            code ^= class_rows[bit];
        }
    }
    return (uint16_t)(code << 4 | (level ^ level >> 1));
}
