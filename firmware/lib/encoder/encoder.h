/* The bundle's encoder: image in, latent out. One engine implements it; nothing else may know which. */
#ifndef INKLING_ENCODER_H
#define INKLING_ENCODER_H

#include <stdint.h>

#include "inkling_model.h"
#include "wire/control.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the engine ready and checks that the model, its tables and its memory fit each other. Call it once, first.
 * Returns what does not fit, a WIRE_ERROR_MODEL_..., or WIRE_ERROR_NONE. */
enum wire_error encoder_start(void);

/* The input: INKLING_INPUT_BYTES pixels (H, W, C), each value - 128. Images are received straight into it. It
 * keeps its contents over a run. */
int8_t *encoder_input(void);

/* Encodes what is in the input. Returns the latent, INKLING_LATENT_BYTES values (h, w, c), which stays until the
 * next run; NULL when the engine failed, or did not start. */
const int8_t *encoder_run(void);

/* Working memory that the network uses, in bytes; and all that the encoder takes: arena with its margin, input, output,
 * scratch. */
uint32_t encoder_arena_bytes(void);
uint32_t encoder_ram_bytes(void);

/* Name of the engine, such as "aot". */
const char *encoder_engine(void);

#ifdef __cplusplus
}
#endif

#endif
