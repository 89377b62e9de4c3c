"""Training of codecs (encoder, quantizer, decoder with classifier) through a channel that flips bits.

Run it as `inkling train configs/cifar10.toml`. `inkling export` makes a bundle of the result, a folder in `runs/`.
"""
