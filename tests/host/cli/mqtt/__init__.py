"""Tests of host/cli/mqtt."""
