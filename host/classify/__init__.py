"""Classification of received frames: bit error rate, combination of an image's frames, decoder."""
