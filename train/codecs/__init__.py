"""Codecs: what is trained end to end. One system a file; `codec.py` is Inkling's own."""
