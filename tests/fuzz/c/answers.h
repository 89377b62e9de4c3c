/* What the board says, frame by frame: each is compared with the one that docs/SPEC.md asks for. */
#ifndef INKLING_FUZZ_ANSWERS_H
#define INKLING_FUZZ_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the process, as a crash to the fuzzer, when the condition does not hold. */
void require(bool condition, const char *what);

/* The board says these bytes. */
void answers_said(const uint8_t *bytes, size_t count);

/* How many frames the board has said since answers_start. */
unsigned answers_count(void);
void answers_start(void);

/* The next thing said must be this. */
void answers_error(uint8_t code, uint8_t failed_opcode, uint8_t request);
void answers_info(uint8_t request);
void answers_feature(uint8_t request, uint8_t chunk, const int8_t *latent);
void answers_cost(uint8_t request, uint8_t opcode);
void answers_bench(uint8_t request, uint8_t repeats);
void answers_pixels(uint8_t request, const int8_t *input);

/* And nothing more. */
void answers_end(void);

#endif
