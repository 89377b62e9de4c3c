#include "mode.h"

#include "board.h"
#include "encoder.h"

#define HAS_ANSWER (INKLING_CLASS_COUNT > 0u)
#define HAS_FEATURES (INKLING_SYMBOL_COUNT > 0u)

#ifndef INKLING_MODE
#define INKLING_MODE (!HAS_ANSWER ? WIRE_MODE_FEATURES : HAS_FEATURES ? WIRE_MODE_ADAPTIVE : WIRE_MODE_ANSWER)
#endif
#ifndef INKLING_THRESHOLD
#define INKLING_THRESHOLD inkling_model.threshold
#else
_Static_assert(INKLING_THRESHOLD >= 0 && INKLING_THRESHOLD <= WIRE_MAX_CONFIDENCE, "INKLING_THRESHOLD must be 0..15");
#endif
_Static_assert(INKLING_MODE >= WIRE_MODE_FEATURES && INKLING_MODE <= WIRE_MODE_ADAPTIVE, "INKLING_MODE must be 0..2");
_Static_assert(INKLING_MODE == WIRE_MODE_FEATURES || HAS_ANSWER,
               "INKLING_MODE 1 and 2 need a bundle with an answer head");
_Static_assert(INKLING_MODE == WIRE_MODE_ANSWER || HAS_FEATURES,
               "INKLING_MODE 0 and 2 need a bundle with latent heads");

static BOARD_RETAINED struct mode present;

void mode_start(void) {
    if (!board_woke()) {
        present = (struct mode){.mode = INKLING_MODE, .threshold = INKLING_THRESHOLD};
    }
}

struct mode mode_get(void) {
    return present;
}

bool mode_set(struct mode mode) {
    if (mode.mode > WIRE_MODE_ADAPTIVE || mode.threshold > WIRE_MAX_CONFIDENCE ||
        (mode.mode != WIRE_MODE_FEATURES && !HAS_ANSWER) || (mode.mode != WIRE_MODE_ANSWER && !HAS_FEATURES)) {
        return false;
    }
    present = mode;
    return true;
}

bool mode_is_sure(struct wire_answer answer) {
    return answer.confidence >= present.threshold;
}
