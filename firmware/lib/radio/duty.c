#include "duty.h"

#define PARTS UINT64_C(10000)          /* per microsecond of air time */
#define BUCKET_MICROS UINT64_C(360000) /* per permille: a tenth of an hour's allowance */
#define REFILL UINT64_C(9)             /* parts per microsecond and permille: nine tenths of the duty cycle */
#define MICROS_PER_SECOND UINT64_C(1000000)
#define HOUR_SECONDS 3600u
#define NO_LIMIT 1000u /* permille: always on */

static void refill(struct duty *duty, uint64_t micros) {
    const uint64_t capacity = BUCKET_MICROS * PARTS * duty->permille;
    const uint64_t left = duty->left + micros * REFILL * duty->permille;
    duty->left = left < capacity ? left : capacity;
}

void duty_start(struct duty *duty, uint16_t permille, uint32_t now_micros) {
    duty->permille = permille;
    duty->left = permille < NO_LIMIT ? 0 : BUCKET_MICROS * PARTS * permille;
    duty->updated_micros = now_micros;
}

void duty_slept(struct duty *duty, uint32_t seconds, uint32_t now_micros) {
    refill(duty, (seconds < HOUR_SECONDS ? seconds : HOUR_SECONDS) * MICROS_PER_SECOND); /* an hour fills any bucket */
    duty->updated_micros = now_micros;
}

void duty_update(struct duty *duty, uint32_t now_micros) {
    refill(duty, (uint32_t)(now_micros - duty->updated_micros));
    duty->updated_micros = now_micros;
}

uint32_t duty_left_micros(const struct duty *duty) {
    return (uint32_t)(duty->left / PARTS);
}

uint32_t duty_full_micros(const struct duty *duty) {
    return (uint32_t)(BUCKET_MICROS * duty->permille);
}

bool duty_take(struct duty *duty, uint32_t air_micros) {
    if (air_micros > duty_left_micros(duty)) {
        return false;
    }
    duty->left -= air_micros * PARTS;
    return true;
}
