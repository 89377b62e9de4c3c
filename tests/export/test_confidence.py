"""Temperature scaling: reliable confidences, the same decisions."""

import numpy as np
import torch
from torch.nn import functional as F

from export.confidence import BERS, calibrate
from tests.support.codec import CLASSES, make_codec
from train.evaluate import encode, logits


def test_calibrate_reduces_overconfidence_and_keeps_decisions() -> None:
    codec = make_codec()
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)
    symbols = encode(codec, images)
    # Labels drawn from the softmax of the codec's own logits: calibrated as it is, overconfident once they are scaled.
    with torch.no_grad():
        chances = F.softmax(logits(codec, symbols, 0.0), 1).numpy()
        codec.decoder.classify.weight.mul_(4)
        codec.decoder.classify.bias.mul_(4)
    labels = np.array([rng.choice(CLASSES, p=p / p.sum()) for p in chances.astype(float)])
    before = {ber: logits(codec, symbols, ber) for ber in BERS}
    temperature = calibrate(codec, images, labels)
    assert 2.5 < temperature.value < 6.5
    assert temperature.loss_after < temperature.loss_before
    for ber in BERS:
        after = logits(codec, symbols, ber)
        assert torch.equal(after.argmax(1), before[ber].argmax(1))
        assert torch.allclose(after * temperature.value, before[ber], rtol=1e-3, atol=1e-3)
