/* Headers of TensorFlow Lite Micro, included as system headers to silence their warnings. */
#ifndef INKLING_TFLM_HEADERS_H
#define INKLING_TFLM_HEADERS_H

#pragma GCC system_header

#if !__has_include("tensorflow/lite/micro/micro_interpreter.h")
#error "no TFLite Micro in lib_deps or PLATFORMIO_LIB_EXTRA_DIRS (see docs/firmware.md, The engine)"
#endif

#include "inkling_model_ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

#endif
