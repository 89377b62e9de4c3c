"""How often INKLING_MOTION finds motion where there is none, and where there is: still scenes with a sensor's noise.

python -m tests.camera_motion

A photograph as QVGA frames in RGB565, each with noise of its own, becomes the encoder's 32 x 32 pixels and then the
small grey picture, by the firmware's own C; each look is compared with the first. The light may flicker, too: frame
by frame, all of it is brighter or darker by a factor. The intruder is a dark square.
"""

import sys
from ctypes import c_uint8

import numpy as np
from matplotlib import cbook
from PIL import Image

from tests.firmware.camera.camera_c import RGB565, RGB888, Picture, fit, library, pack

SIZE, INPUT, SIDE = (240, 320), (32, 32, 3), 16
LOOKS = 200
NOISE = (2.0, 5.0, 10.0, 20.0)  # standard deviation of a pixel, in grey levels
FLICKER = (0.0, 0.01, 0.03)  # standard deviation of the brightness
INTRUDERS = (0, 24, 48, 72)  # side in pixels of 320 x 240
THRESHOLDS = (1, 2, 4, 8)


def photo() -> np.ndarray:
    """A photograph, float (240, 320, 3)."""
    with cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize(SIZE[::-1]), float)


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """What the firmware compares, uint8 (256,), of a frame, float (H, W, 3)."""
    frame = pack(np.clip(np.rint(rgb), 0, 255).astype(np.uint8), RGB565)
    encoder = fit(frame, rgb.shape[:2], RGB565, INPUT)
    small = (c_uint8 * (SIDE * SIDE))()
    assert library().motion_thumbnail(Picture(encoder.tobytes(), INPUT[1], INPUT[0], RGB888), small)
    return np.frombuffer(small, np.uint8).copy()


def differs(a: np.ndarray, b: np.ndarray, levels: int) -> bool:
    """The firmware's verdict on two of them."""
    return bool(library().motion_differs(a.tobytes(), b.tobytes(), levels))


def triggered(noise: float, flicker: float, intruder: int, looks: int = LOOKS) -> dict[int, float]:
    """The share of looks that count as motion, by threshold."""
    rng, scene = np.random.default_rng(1), photo()
    empty = thumbnail(scene + rng.normal(0, noise, scene.shape))
    found = dict.fromkeys(THRESHOLDS, 0)
    for _ in range(looks):
        now = scene * (1 + rng.normal(0, flicker))
        top, left = rng.integers(0, SIZE[0] - intruder), rng.integers(40, 280 - intruder)
        now[top : top + intruder, left : left + intruder] *= 0.3
        seen = thumbnail(now + rng.normal(0, noise, scene.shape))
        for levels in THRESHOLDS:
            found[levels] += differs(seen, empty, levels)
    return {levels: count / looks for levels, count in found.items()}


def main() -> int:
    heads = "".join(f" {f'at {levels}':>7}" for levels in THRESHOLDS)
    print(f"noise  flicker  intruder {heads}")
    for noise, flicker, intruder in (
        *((noise, 0.0, 0) for noise in NOISE),
        *((5.0, flicker, 0) for flicker in FLICKER[1:]),
        *((5.0, 0.01, intruder) for intruder in INTRUDERS[1:]),
    ):
        shares = "".join(f" {share:7.1%}" for share in triggered(noise, flicker, intruder).values())
        print(f"{noise:5.0f}  {flicker:7.0%}  {f'{intruder} px' if intruder else '-':>8} {shares}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
