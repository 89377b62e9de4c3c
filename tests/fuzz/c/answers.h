/* The frames that the board sends, each compared with what docs/SPEC.md requires. */
#ifndef INKLING_FUZZ_ANSWERS_H
#define INKLING_FUZZ_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Abort the process, which the fuzzer counts as a crash, unless the condition holds. */
void require(bool condition, const char *expectation);

/* Forget all bytes and frames. */
void answers_start(void);

/* Record bytes that the board sends. */
void answers_record(const uint8_t *bytes, size_t count);

/* Return the number of frames checked since answers_start(). */
unsigned answers_count(void);

/* Check that the next recorded frame is this one. */
void answers_error(uint8_t code, uint8_t failed_opcode, uint8_t request);
void answers_not_authentic(uint8_t failed_opcode, uint8_t request);
void answers_key(uint8_t request);
void answers_info(uint8_t request, uint8_t mode, uint8_t threshold);
void answers_mode(uint8_t request, uint8_t mode, uint8_t threshold);
void answers_feature(uint8_t request, uint8_t chunk, const int8_t *outputs);
void answers_answer(uint8_t request, const int8_t *outputs);
void answers_cost(uint8_t request, uint8_t opcode);
void answers_bench(uint8_t request, uint8_t repeats);
void answers_pixels(uint8_t request, const int8_t *input);

/* Return the confidence level, 0..15, for the encoder's outputs of a model with an answer head. */
uint32_t answers_confidence(const int8_t *outputs);

/* Check that no recorded bytes are left. */
void answers_end(void);

#endif
