/* Mock of Chirale_TensorFLowLite 2.0.0: the model in a .tflite file. */
#pragma once

#include <stdint.h>

namespace tflite {

enum BuiltinOperator : int32_t { BuiltinOperator_ADD = 0 };

struct OperatorCode;

/* A flatbuffers::Vector with its iterator in TFLM. */
struct OperatorCodes {
    const OperatorCode *const *begin() const;
    const OperatorCode *const *end() const;
};

struct Model {
    uint32_t version() const;
    const OperatorCodes *operator_codes() const;
};

const Model *GetModel(const void *buffer);

} // namespace tflite
