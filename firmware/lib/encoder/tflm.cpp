/* Engine "tflm": TensorFlow Lite Micro runs the bundle's encoder.tflite, with the kernels of its library. */
#include "encoder.h"

#include <cstring>
#include <new>

#include "tables.h"
#include "tflm_headers.h"
#include "wire/crc.h"

namespace {

/* TFLM may reuse its input tensor's memory during a run, but encoder_input() has to stay: copied before each run. */
alignas(4) int8_t image[INKLING_INPUT_BYTES];
/* TFLM's outputs are tensors apart from each other: copied one after the other after each run. */
alignas(4) int8_t outputs[INKLING_OUTPUT_BYTES];
alignas(16) uint8_t arena[INKLING_ARENA_BYTES];

/* Constructed in place by encoder_start() and never destroyed: no heap, and no constructor before main. */
alignas(InklingOpResolver) uint8_t resolver_memory[sizeof(InklingOpResolver)];
alignas(tflite::MicroInterpreter) uint8_t interpreter_memory[sizeof(tflite::MicroInterpreter)];

TfLiteTensor *input; /* null until encoder_start() succeeds */
tflite::MicroInterpreter *interpreter;

bool every_op_is_there(const tflite::Model &model, const tflite::MicroOpResolver &resolver) {
    for (const tflite::OperatorCode *code : *model.operator_codes()) {
        /* The type's name differs between versions of TFLM. */
        decltype(resolver.FindOp(tflite::BuiltinOperator_ADD)) registration = nullptr;
        if (tflite::GetRegistrationFromOpCode(code, resolver, &registration) != kTfLiteOk) {
            return false;
        }
    }
    return true;
}

/* A row of scores, as a fully connected layer gives them, is a map of one position. */
bool has_shape(const TfLiteIntArray &dims, struct inkling_shape shape) {
    if (dims.size == 2) {
        return dims.data[0] == 1 && shape.height == 1 && shape.width == 1 && dims.data[1] == shape.channels;
    }
    return dims.size == 4 && dims.data[0] == 1 && dims.data[1] == shape.height && dims.data[2] == shape.width &&
           dims.data[3] == shape.channels;
}

bool is_int8(const TfLiteTensor &tensor, struct inkling_shape shape, int32_t zero_point) {
    return tensor.type == kTfLiteInt8 && has_shape(*tensor.dims, shape) && tensor.params.zero_point == zero_point;
}

/* Return true if all outputs are as generated from the bundle; together they then have INKLING_OUTPUT_BYTES. */
bool outputs_match() {
    if (interpreter->outputs_size() != INKLING_OUTPUT_COUNT) {
        return false;
    }
    for (size_t i = 0; i < INKLING_OUTPUT_COUNT; i++) {
        if (!is_int8(*interpreter->output(i), inkling_output_shapes[i], INKLING_OUTPUT_ZERO_POINT)) {
            return false;
        }
    }
    return true;
}

size_t size_of(struct inkling_shape shape) {
    return static_cast<size_t>(shape.height) * shape.width * shape.channels;
}

} // namespace

enum wire_error encoder_start(void) {
    if (!encoder_tables_intact() || wire_crc32(0, inkling_model_tflite, INKLING_MODEL_BYTES) != INKLING_MODEL_CRC32) {
        return WIRE_ERROR_MODEL_DAMAGED;
    }
    const tflite::Model &model = *tflite::GetModel(inkling_model_tflite);
    if (model.version() != TFLITE_SCHEMA_VERSION) {
        return WIRE_ERROR_MODEL_VERSION;
    }
    InklingOpResolver &resolver = *new (resolver_memory) InklingOpResolver;
    if (!inkling_add_ops(resolver) || !every_op_is_there(model, resolver)) {
        return WIRE_ERROR_MODEL_OPS;
    }
    interpreter = new (interpreter_memory) tflite::MicroInterpreter(&model, resolver, arena, sizeof arena);
    if (interpreter->AllocateTensors() != kTfLiteOk) {
        return WIRE_ERROR_MODEL_ARENA;
    }
    TfLiteTensor *const in = interpreter->input(0);
    if (!is_int8(*in, {INKLING_HEIGHT, INKLING_WIDTH, INKLING_CHANNELS}, INKLING_INPUT_ZERO_POINT) ||
        !outputs_match()) {
        return WIRE_ERROR_MODEL_SHAPE;
    }
    input = in;
    return WIRE_ERROR_NONE;
}

int8_t *encoder_input(void) {
    return image;
}

const int8_t *encoder_run(void) {
    if (input == nullptr) {
        return nullptr;
    }
    std::memcpy(input->data.int8, image, sizeof image);
    if (interpreter->Invoke() != kTfLiteOk) {
        return nullptr;
    }
    int8_t *next = outputs;
    for (size_t i = 0; i < INKLING_OUTPUT_COUNT; i++) {
        const size_t size = size_of(inkling_output_shapes[i]);
        std::memcpy(next, interpreter->output(i)->data.int8, size);
        next += size;
    }
    return outputs;
}

uint32_t encoder_arena_bytes(void) {
    return input == nullptr ? sizeof arena : static_cast<uint32_t>(interpreter->arena_used_bytes());
}

uint32_t encoder_ram_bytes(void) {
    return sizeof arena + sizeof image + sizeof outputs + sizeof interpreter_memory + sizeof resolver_memory;
}

const char *encoder_engine(void) {
    return "tflm";
}
