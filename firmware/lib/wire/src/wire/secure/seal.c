#include "wire/secure/seal.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/secure/cmac.h"

bool wire_seal_check(const struct wire_parser *parser, const struct wire_keys *keys, uint32_t counter) {
    if (!wire_parser_is_sealed(parser)) {
        return false;
    }
    uint8_t block[WIRE_BLOCK_BYTES] = {WIRE_TAG_COMMAND, parser->device};
    wire_put_u8(wire_put_u8(wire_put_u32(block + 2, counter), parser->opcode), parser->request);
    uint8_t expected[WIRE_BLOCK_BYTES];
    memcpy(expected, block + 2, 4);
    const uint16_t in_head = parser->length < WIRE_HEAD_BYTES ? parser->length : WIRE_HEAD_BYTES;
    struct wire_cmac cmac;
    wire_cmac_start(&cmac, keys->authentication);
    wire_cmac_update(&cmac, block, sizeof block);
    wire_cmac_update(&cmac, parser->head, in_head);
    wire_cmac_update(&cmac, parser->body, (size_t)(parser->length - in_head));
    wire_cmac_finish(&cmac, block);
    memcpy(expected + 4, block, WIRE_SEAL_BYTES - 4u);
    return wire_tags_equal(expected, parser->seal, WIRE_SEAL_BYTES);
}

void wire_not_authentic_write(uint8_t data[WIRE_NOT_AUTHENTIC_BYTES], uint8_t failed_opcode, uint32_t counter) {
    wire_error_write(data, WIRE_ERROR_NOT_AUTHENTIC, failed_opcode);
    wire_put_u32(data + WIRE_ERROR_BYTES, counter);
}
