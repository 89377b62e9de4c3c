#include "tables.h"

#include "inkling_model.h"
#include "wire/crc.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the tables' CRC-32 is generated for little-endian machines");
_Static_assert(sizeof(struct wire_chunk) == 4u, "the tables' CRC-32 is generated without padding");

bool encoder_tables_intact(void) {
    const struct wire_model *model = &inkling_model;
    uint32_t crc = wire_crc32(0, model->symbol_table, 256);
    crc = wire_crc32(crc, (const uint8_t *)model->symbol_order, INKLING_SYMBOL_COUNT * sizeof *model->symbol_order);
    crc = wire_crc32(crc, (const uint8_t *)model->chunks, model->chunk_count * sizeof *model->chunks);
    if (INKLING_CLASS_COUNT > 0u) {
        crc = wire_crc32(crc, (const uint8_t *)model->answer_weights, 256u * sizeof *model->answer_weights);
    }
    return crc == INKLING_TABLES_CRC32;
}
