"""Tests of host/publish."""
