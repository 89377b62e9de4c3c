"""Motion detection: firmware/lib/camera/motion.c on noisy frames."""

import numpy as np
import pytest

from tests.firmware.camera.camera_library import GREY, CameraImage, library
from tests.firmware.camera.motion_rates import SIDE, differs, motion_rates, thumbnail


def test_motion_differs_compares_the_mean_difference_with_the_threshold() -> None:
    dark, light = np.zeros(SIDE * SIDE, np.uint8), np.full(SIDE * SIDE, 3, np.uint8)
    assert differs(dark, light, 3) and differs(light, dark, 3) and not differs(dark, light, 4)
    light[0] = 2
    assert not differs(dark, light, 3)
    assert differs(np.full(SIDE * SIDE, 255, np.uint8), dark, 255)


def test_motion_thumbnail_shows_the_whole_input() -> None:
    frame = np.zeros((240, 320, 3))
    frame[:, :20], frame[:, -20:] = 255, 255
    small = thumbnail(frame).reshape(SIDE, SIDE)
    assert (small[:, 1:-1] == 0).all()  # the encoder's input has neither edge
    assert not library().motion_thumbnail(CameraImage(b"", 0, 0, GREY), None)


@pytest.mark.parametrize("noise", [2.0, 10.0])
def test_motion_differs_ignores_noise_and_sees_an_intruder(noise: float) -> None:
    assert motion_rates(noise, 0.0, 0, n_frames=40)[2] == 0
    assert motion_rates(noise, 0.0, 72, n_frames=40)[2] == 1
