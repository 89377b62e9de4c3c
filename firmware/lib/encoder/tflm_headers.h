/* TensorFlow Lite Micro's headers, whose warnings are not ours: as a system header this one is free of them. */
#ifndef INKLING_TFLM_HEADERS_H
#define INKLING_TFLM_HEADERS_H

#pragma GCC system_header

#include "inkling_model_ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

#endif
