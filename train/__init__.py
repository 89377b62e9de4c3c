"""Train a codec (encoder, quantizer, decoder with classifier) through a channel that flips bits.

Run it as `python -m train configs/cifar10.toml`. The result, a folder under `runs/`, goes to `export/`.
"""
