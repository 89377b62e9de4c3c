"""Export of a trained run to a bundle: ONNX, onnx2tf, int8 TensorFlow Lite, and a printed proof of every step."""
