"""A trained run -> a bundle: ONNX, onnx2tf, int8 TensorFlow Lite, and a printed proof of every step.

Run it as `python -m export runs/cifar10 -o bundles/mine`.
"""
