"""Fuzzing: the firmware's parser and commands by libFuzzer, the host's receiver by Atheris. docs/fuzzing.md."""
