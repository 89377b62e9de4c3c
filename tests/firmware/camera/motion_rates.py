"""Measure how often INKLING_MOTION reports motion in a still scene with sensor noise, and with an intruder.

python -m tests.firmware.camera.motion_rates

A photograph as QVGA frames in RGB565, each with its own noise, is scaled to the encoder's 32 x 32 pixels and then to
the grey thumbnail by the firmware's C code; each thumbnail is compared with the first one. The light may flicker: the
brightness of each frame changes by a random factor. The intruder is a dark square.
"""

import sys
from ctypes import c_uint8

import numpy as np

from tests.firmware.camera.camera_library import RGB565, RGB888, CameraImage, fit, library, pack, photo

SIZE, INPUT, SIDE = (240, 320), (32, 32, 3), 16
N_FRAMES = 200
NOISE = (2.0, 5.0, 10.0, 20.0)  # standard deviation of a pixel, in grey levels
FLICKER = (0.0, 0.01, 0.03)  # standard deviation of the brightness
INTRUDERS = (0, 24, 48, 72)  # side in pixels of 320 x 240
THRESHOLDS = (1, 2, 4, 8)


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """Return the firmware's thumbnail, uint8 (256,), of a frame, float (H, W, 3)."""
    frame = pack(np.clip(np.rint(rgb), 0, 255).astype(np.uint8), RGB565)
    encoder_input = fit(frame, (rgb.shape[0], rgb.shape[1]), RGB565, INPUT)
    small = (c_uint8 * (SIDE * SIDE))()
    assert library().motion_thumbnail(CameraImage(encoder_input.tobytes(), INPUT[1], INPUT[0], RGB888), small)
    return np.frombuffer(bytes(small), np.uint8)


def differs(a: np.ndarray, b: np.ndarray, threshold: int) -> bool:
    """Return True if the firmware sees motion between two thumbnails; `threshold` is in grey levels."""
    return bool(library().motion_differs(a.tobytes(), b.tobytes(), threshold))


def motion_rates(noise: float, flicker: float, intruder: int, n_frames: int = N_FRAMES) -> dict[int, float]:
    """Return the share of frames that count as motion, by threshold."""
    rng, scene = np.random.default_rng(1), photo(SIZE)
    empty = thumbnail(scene + rng.normal(0, noise, scene.shape))
    counts = dict.fromkeys(THRESHOLDS, 0)
    for _ in range(n_frames):
        frame = scene * (1 + rng.normal(0, flicker))
        top, left = rng.integers(0, SIZE[0] - intruder), rng.integers(40, 280 - intruder)
        frame[top : top + intruder, left : left + intruder] *= 0.3
        seen = thumbnail(frame + rng.normal(0, noise, scene.shape))
        for threshold in THRESHOLDS:
            counts[threshold] += differs(seen, empty, threshold)
    return {threshold: count / n_frames for threshold, count in counts.items()}


def main() -> int:
    heads = "".join(f" {f'at {threshold}':>7}" for threshold in THRESHOLDS)
    print(f"noise  flicker  intruder {heads}")
    for noise, flicker, intruder in (
        *((noise, 0.0, 0) for noise in NOISE),
        *((5.0, flicker, 0) for flicker in FLICKER[1:]),
        *((5.0, 0.01, intruder) for intruder in INTRUDERS[1:]),
    ):
        shares = "".join(f" {share:7.1%}" for share in motion_rates(noise, flicker, intruder).values())
        print(f"{noise:5.0f}  {flicker:7.0%}  {f'{intruder} px' if intruder else '-':>8} {shares}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
