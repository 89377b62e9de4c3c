"""Tests of host/mqtt."""
