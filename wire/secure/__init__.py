"""Secured frames and sealed commands: what the holders of a device key add to wire version 1.

`keys` derives the keys of a device and computes tags and keystreams; `frames` builds, predicts and checks feature and
answer frames; `commands` seals commands; `limits` says how many flipped bits a tag may have. firmware/lib/wire has the
board's side in `wire/secure`. The modules need numpy and cryptography.
"""
