#include "wire/status.h"

#include "wire/bytes.h"

#define GATEWAY 0x80u
#define MODE_MASK 0x7u
#define THRESHOLD_MASK 0xFu

void wire_status_write(uint8_t data[WIRE_STATUS_BYTES], const struct wire_board_status *status) {
    uint8_t *next = wire_put_u32(data, status->counter);
    next = wire_put_u32(next, status->uptime_s);
    next = wire_put_u32(next, status->boots);
    next = wire_put_u8(next, status->reset_cause);
    next = wire_put_u8(next, (status->gateway ? GATEWAY : 0u) | (status->mode & MODE_MASK) << 4 |
                                 (status->threshold & THRESHOLD_MASK));
    next = wire_put_u16(next, status->battery_mv);
    next = wire_put_u16(next, status->air_left_cs);
    wire_put_u16(next, status->period_s);
}
