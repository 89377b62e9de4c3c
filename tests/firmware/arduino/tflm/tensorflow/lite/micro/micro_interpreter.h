/* Mock of Chirale_TensorFLowLite 2.0.0: the interpreter and its tensors. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

#define TFLITE_SCHEMA_VERSION (3)

enum TfLiteType { kTfLiteNoType = 0, kTfLiteInt8 = 9 };

struct TfLiteIntArray {
    int size;
    int data[4]; /* a flexible array in TFLM */
};

struct TfLiteQuantizationParams {
    float scale;
    int32_t zero_point;
};

union TfLitePtrUnion {
    int8_t *int8;
};

struct TfLiteTensor {
    TfLiteType type;
    TfLitePtrUnion data;
    TfLiteIntArray *dims;
    TfLiteQuantizationParams params;
};

namespace tflite {

class MicroInterpreter {
  public:
    MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver, uint8_t *tensor_arena,
                     size_t tensor_arena_size);
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
    size_t outputs_size() const;
    size_t arena_used_bytes() const;
};

} // namespace tflite
