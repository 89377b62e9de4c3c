/* Of Chirale_TensorFLowLite 2.0.0: what a .tflite file begins with. */
#pragma once

#include <stdint.h>

namespace tflite {

enum BuiltinOperator : int32_t { BuiltinOperator_ADD = 0 };

struct OperatorCode;

/* There flatbuffers::Vector and its iterator. */
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
