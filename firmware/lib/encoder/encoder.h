/* The bundle's encoder: image in, latents and class scores out. One engine (aot or tflm) implements it; no other code
 * depends on which. */
#ifndef INKLING_ENCODER_H
#define INKLING_ENCODER_H

#include <stdint.h>

#include "inkling_model.h"
#include "wire/control.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Start the engine and check the model, its tables and its memory. Call once, first.
 * Returns WIRE_ERROR_NONE, or the WIRE_ERROR_MODEL_... that was found. */
enum wire_error encoder_start(void);

/* Return the input buffer: INKLING_INPUT_BYTES values of pixel - 128, (H, W, C). Images are received straight into it;
 * encoder_run() does not change it. */
int8_t *encoder_input(void);

/* Encode the image in the input buffer. Returns the outputs, valid until the next run: the latents of all heads,
 * INKLING_LATENT_BYTES values, each head (h, w, c), then the scores of INKLING_CLASS_COUNT classes. Returns NULL if the
 * engine failed or did not start. */
const int8_t *encoder_run(void);

/* Return the bytes of working memory that the network uses. */
uint32_t encoder_arena_bytes(void);

/* Return the bytes of RAM of the whole encoder: arena with its margin, input, outputs, scratch. */
uint32_t encoder_ram_bytes(void);

/* Return the name of the engine, such as "aot". */
const char *encoder_engine(void);

#ifdef __cplusplus
}
#endif

#endif
