"""Receiving: frames and control frames found in a noisy byte stream or in a radio's packets."""
