"""The senders of images: their rhythm, their runs of sequence numbers, and the limits of what is kept of them."""
