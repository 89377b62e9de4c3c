"""Tests of host/gateway."""
