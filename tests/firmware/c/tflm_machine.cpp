/* Fake of TensorFlow Lite Micro for firmware/lib/encoder/tflm.cpp: its tensors are as the bundle describes them, but
 * for the fault that a test sets. A run writes the tensor's number into each byte of an output. */
#include <cstring>

#include "inkling_model.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

extern "C" {
enum machine_fault { NONE, HEIGHT, CHANNELS, TYPE, ZERO_POINT, BATCH, MORE_OUTPUTS, FEWER_OUTPUTS, INPUT_WIDTH, ROW };
int machine_fault = NONE;
int machine_faulty_output = 0;
int machine_runs = 0;
}

namespace {

TfLiteTensor input_tensor;
TfLiteTensor outputs[INKLING_OUTPUT_COUNT];
TfLiteIntArray dims[INKLING_OUTPUT_COUNT + 1u];
int8_t input_data[INKLING_INPUT_BYTES];
int8_t output_data[INKLING_OUTPUT_COUNT][INKLING_OUTPUT_BYTES];

void describe(TfLiteTensor &tensor, TfLiteIntArray &shape, int height, int width, int channels, int zero_point) {
    shape = {4, {1, height, width, channels}};
    tensor.type = kTfLiteInt8;
    tensor.dims = &shape;
    tensor.params.zero_point = zero_point;
}

void spoil(TfLiteTensor &tensor) {
    tensor.dims->data[0] += machine_fault == BATCH;
    tensor.dims->data[1] += machine_fault == HEIGHT;
    tensor.dims->data[3] -= machine_fault == CHANNELS;
    tensor.params.zero_point += machine_fault == ZERO_POINT;
    if (machine_fault == ROW) { /* of one position: 1, channels */
        tensor.dims->size = 2;
        tensor.dims->data[1] = tensor.dims->data[3];
    }
    tensor.type = machine_fault == TYPE ? kTfLiteNoType : kTfLiteInt8;
}

} // namespace

namespace tflite {

MicroInterpreter::MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *, size_t) {
    describe(input_tensor, dims[INKLING_OUTPUT_COUNT], INKLING_HEIGHT, INKLING_WIDTH + (machine_fault == INPUT_WIDTH),
             INKLING_CHANNELS, INKLING_INPUT_ZERO_POINT);
    input_tensor.data.int8 = input_data;
    for (size_t i = 0; i < INKLING_OUTPUT_COUNT; i++) {
        const inkling_shape shape = inkling_output_shapes[i];
        describe(outputs[i], dims[i], shape.height, shape.width, shape.channels, INKLING_OUTPUT_ZERO_POINT);
        outputs[i].data.int8 = output_data[i];
    }
    spoil(outputs[machine_faulty_output]);
}

TfLiteStatus MicroInterpreter::AllocateTensors() {
    return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
    for (size_t i = 0; i < INKLING_OUTPUT_COUNT; i++) {
        std::memset(output_data[i], static_cast<int>(i + 1u), sizeof output_data[i]);
    }
    output_data[0][0] = input_data[0];
    machine_runs++;
    return kTfLiteOk;
}

TfLiteTensor *MicroInterpreter::input(size_t) {
    return &input_tensor;
}

TfLiteTensor *MicroInterpreter::output(size_t index) {
    return &outputs[index];
}

size_t MicroInterpreter::outputs_size() const {
    return INKLING_OUTPUT_COUNT + (machine_fault == MORE_OUTPUTS) - (machine_fault == FEWER_OUTPUTS);
}

size_t MicroInterpreter::arena_used_bytes() const {
    return 1234u;
}

uint32_t Model::version() const {
    return TFLITE_SCHEMA_VERSION;
}

const OperatorCodes *Model::operator_codes() const {
    static const OperatorCodes none;
    return &none;
}

const OperatorCode *const *OperatorCodes::begin() const {
    return nullptr;
}

const OperatorCode *const *OperatorCodes::end() const {
    return nullptr;
}

const Model *GetModel(const void *) {
    static const Model model;
    return &model;
}

TfLiteStatus GetRegistrationFromOpCode(const OperatorCode *, const MicroOpResolver &, const TfLiteRegistration **) {
    return kTfLiteOk;
}

template <unsigned int n> const TfLiteRegistration *MicroMutableOpResolver<n>::FindOp(BuiltinOperator) const {
    return nullptr;
}

template <unsigned int n> const TfLiteRegistration *MicroMutableOpResolver<n>::FindOp(const char *) const {
    return nullptr;
}

template <unsigned int n> TfLiteStatus MicroMutableOpResolver<n>::AddAdd() {
    return kTfLiteOk;
}

template <unsigned int n> TfLiteStatus MicroMutableOpResolver<n>::AddConv2D() {
    return kTfLiteOk;
}

template <unsigned int n> TfLiteStatus MicroMutableOpResolver<n>::AddDepthwiseConv2D() {
    return kTfLiteOk;
}

template class MicroMutableOpResolver<3>; /* the encoders' operators: ADD, CONV_2D, DEPTHWISE_CONV_2D */

} // namespace tflite
