"""Temperature scaling: believable confidences, the same decisions."""

import numpy as np
import torch
from torch.nn import functional as F

from export.confidence import BERS, calibrate
from tests.support.codec import CLASSES, make_codec
from train.evaluate import encode, logits


def test_overconfident_logits_are_drawn_in_and_decide_as_before() -> None:
    codec = make_codec()
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)
    levels = encode(codec, images)
    # Labels that the softmax of the codec's own logits would draw: right as it is, wrong once they are blown up.
    with torch.no_grad():
        chances = F.softmax(logits(codec, levels, 0.0), 1).numpy()
        codec.decoder.classify.weight *= 4
        codec.decoder.classify.bias *= 4
    labels = np.array([rng.choice(CLASSES, p=p / p.sum()) for p in chances.astype(float)])
    before = {ber: logits(codec, levels, ber) for ber in BERS}
    temperature, loss_before, loss_after = calibrate(codec, images, labels)
    assert 2.5 < temperature < 6.5
    assert loss_after < loss_before
    for ber in BERS:
        after = logits(codec, levels, ber)
        assert torch.equal(after.argmax(1), before[ber].argmax(1))
        assert torch.allclose(after * temperature, before[ber], rtol=1e-3, atol=1e-3)
