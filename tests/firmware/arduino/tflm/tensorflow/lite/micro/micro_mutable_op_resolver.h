/* Mock of Chirale_TensorFLowLite 2.0.0: operators, by the older name of their type, TfLiteRegistration. */
#pragma once

#include "tensorflow/lite/schema/schema_generated.h"

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

struct TfLiteRegistration;

namespace tflite {

class MicroOpResolver {
  public:
    virtual ~MicroOpResolver() {}
    virtual const TfLiteRegistration *FindOp(BuiltinOperator op) const = 0;
    virtual const TfLiteRegistration *FindOp(const char *op) const = 0;
};

TfLiteStatus GetRegistrationFromOpCode(const OperatorCode *opcode, const MicroOpResolver &op_resolver,
                                       const TfLiteRegistration **registration);

template <unsigned int tOpCount> class MicroMutableOpResolver : public MicroOpResolver {
  public:
    const TfLiteRegistration *FindOp(BuiltinOperator op) const override;
    const TfLiteRegistration *FindOp(const char *op) const override;
    TfLiteStatus AddAdd();
    TfLiteStatus AddConv2D();
    TfLiteStatus AddDepthwiseConv2D();
};

} // namespace tflite
