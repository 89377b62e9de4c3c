#include "wire/secure/secured_status.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/secure/cmac.h"

void wire_status_add_tag(uint8_t data[WIRE_SECURED_STATUS_BYTES], const struct wire_keys *keys, uint8_t device,
                         uint32_t model_number) {
    uint8_t block[WIRE_BLOCK_BYTES] = {WIRE_TAG_STATUS, device};
    memcpy(block + 2, data, 4); /* the counter */
    wire_put_u32(block + 12, model_number);
    struct wire_cmac cmac;
    wire_cmac_start(&cmac, keys->authentication);
    wire_cmac_update(&cmac, block, sizeof block);
    wire_cmac_update(&cmac, data, WIRE_STATUS_BYTES);
    wire_cmac_finish(&cmac, block);
    memcpy(data + WIRE_STATUS_BYTES, block, WIRE_STATUS_TAG_BYTES);
}
