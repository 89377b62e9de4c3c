"""What counts as motion: firmware/lib/camera/motion.c on noisy stills."""

import numpy as np
import pytest

from tests.firmware.camera.camera_c import GREY, Picture, library
from tests.firmware.camera.motion_model import SIDE, differs, thumbnail, triggered


def test_the_threshold_is_a_mean_of_grey_levels() -> None:
    dark, light = np.zeros(SIDE * SIDE, np.uint8), np.full(SIDE * SIDE, 3, np.uint8)
    assert differs(dark, light, 3) and differs(light, dark, 3) and not differs(dark, light, 4)
    light[0] = 2
    assert not differs(dark, light, 3)
    assert differs(np.full(SIDE * SIDE, 255, np.uint8), dark, 255)


def test_the_small_picture_shows_all_of_the_large_one() -> None:
    frame = np.zeros((240, 320, 3))
    frame[:, :20], frame[:, -20:] = 255, 255
    small = thumbnail(frame).reshape(SIDE, SIDE)
    assert (small[:, 1:-1] == 0).all()  # the encoder's centre has neither edge
    assert not library().motion_thumbnail(Picture(b"", 0, 0, GREY), None)


@pytest.mark.parametrize("noise", [2.0, 10.0])
def test_noise_is_no_motion_and_an_intruder_is(noise: float) -> None:
    assert triggered(noise, 0.0, 0, looks=40)[2] == 0
    assert triggered(noise, 0.0, 72, looks=40)[2] == 1
