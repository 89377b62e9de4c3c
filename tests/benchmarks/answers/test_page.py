"""Test of the section on answer frames."""

from benchmarks.answers.page import section

ROW = {"right": 0.95, "wrong": 0.01, "lost": 0.04, "unsure": 0.02, "wrong_but_sure": 0.0002, "false": 0.0}
FIGURES = {
    "received": {"10 classes, known device, radio": {"0.1": ROW}, "1000 classes, new device, line": {"0.1": ROW}},
    "false_per_packet": {"10 classes, 1 known devices": 2e-4},
    "layouts": {"10 classes, 8 bytes": {"0.1": {"right": 0.9, "wrong": 0.0, "lost": 0.1, "unsure": 0.0}}},
    "opponents": {"CRC-16, 6 bytes": {"0.1": 0.99}},
    "frames": 1000,
    "noise_packets": 500,
    "seed": 0,
    "date": "2026-11-29",
    "command": "python -m benchmarks.answers",
}


def test_section_has_every_figure_in_percent() -> None:
    text = section(FIGURES)
    assert "| wrong, not marked | 0.02 |" in text and "| correct | 95.0 |" in text
    assert "| answer frame, 1000 classes, new device, line | 5.0 |" in text
    assert "| one byte, CRC-16, 6 bytes | 99.0 |" in text and "| 10 classes, 8 bytes | 10.0 (0.0) |" in text
    assert "10 classes, 1 known devices 0.0002" in text and text.count("\n\n\n") == 0
