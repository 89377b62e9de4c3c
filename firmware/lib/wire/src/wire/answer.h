/* The board's answer: a class and a confidence level, computed from class scores by integer arithmetic. */
#ifndef INKLING_WIRE_ANSWER_H
#define INKLING_WIRE_ANSWER_H

#include <stdint.h>

#include "wire/payload.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_MAX_CONFIDENCE 15u

struct wire_answer {
    uint16_t index;     /* of the class, 0..4095 */
    uint8_t confidence; /* level, 0..15 */
};

/* Return the answer for the class_count scores of a model with an answer head. Of equal top scores, the first wins. */
struct wire_answer wire_answer_of(const struct wire_model *model, const int8_t *scores);

/* Return the word that begins a payload: 12 bits of class code, 4 bits of the confidence level's Gray code. */
uint16_t wire_answer_word(struct wire_answer answer);

#ifdef __cplusplus
}
#endif

#endif
