"""Fuzzing of the firmware's parser and commands with libFuzzer and of the host's receiver with Atheris."""
