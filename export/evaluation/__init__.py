"""Evaluation of a bundle or a run on images that it was not trained on."""
