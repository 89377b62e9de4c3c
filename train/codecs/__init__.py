"""Codecs, trained end to end: `codec.py` is Inkling's own, `split/` holds those that split a classifier."""
