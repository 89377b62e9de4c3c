"""Inkling and its opponents."""
