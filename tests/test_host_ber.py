"""The estimate of the bit error rate, against the channel that made the errors."""

import numpy as np
import pytest

from channel_sim import BitFlips
from host.ber import LEAST, PRIOR_BITS, PRIOR_FLIPS, BerEstimator, Evidence, most_likely
from host.receiver import Receiver
from tests.host_support import features, make_bundle, make_frame
from wire.bundle import Bundle

GRID = [0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("ber") / "default")


def estimates(bundle: Bundle, rates: list[float], seed: int, chunk: int = 0) -> np.ndarray:
    """One estimate a frame (n,), over a link with each of these rates in turn; lost ones repeat the last."""
    receiver, estimator, rng = Receiver([bundle]), BerEstimator(), np.random.default_rng(seed)
    receiver.feed(make_frame(bundle, 0, chunk=chunk))
    out = []
    for n, rate in enumerate(rates, start=1):
        sent = make_frame(bundle, n, chunk=chunk)
        for frame in features(receiver.feed(BitFlips(rate).corrupt(sent, rng) or b"")):
            estimator.update(frame)
        out.append(estimator.estimate)
    return np.array(out)


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize("ber", GRID)
def test_the_estimate_is_right_on_average_and_steady(bundle: Bundle, ber: float, chunk: int) -> None:
    """The mean within 15 % of the rate (of 1e-4 at 0), nine of ten within a factor of 2.5, 1.6 from 1e-2."""
    found = estimates(bundle, [ber] * 600, seed=1, chunk=chunk)[20:]
    low, high = np.quantile(found, [0.05, 0.95])
    print(f"BER {ber:g}: mean {found.mean():.2e}, 5 % {low:.2e}, 95 % {high:.2e}")
    truth = max(ber, LEAST)
    assert found.mean() == pytest.approx(truth, rel=0.15)
    assert truth / 2.5 <= low and high <= truth * 2.5
    if ber >= 1e-2:
        assert truth / 1.6 <= low and high <= truth * 1.6


JUMPS = [(0.0, 0.05), (0.0, 0.01), (0.01, 0.1), (0.1, 0.01), (0.05, 0.0)]


@pytest.mark.parametrize(("before", "after"), JUMPS)
def test_it_follows_a_jump_within_three_frames(bundle: Bundle, before: float, after: float) -> None:
    runs = [estimates(bundle, [before] * 30 + [after] * 10, seed) for seed in range(20)]
    mean = np.mean(runs, axis=0)
    assert mean[29] == pytest.approx(max(before, LEAST), rel=0.2)
    truth = max(after, LEAST)
    assert truth / 2 <= mean[32] <= truth * 2


def test_without_wrong_crcs_it_is_the_mean_of_the_beta_posterior() -> None:
    for bits, flips in [(0, 0), (96, 0), (96, 5), (5000, 100), (300, 30)]:
        expected = (PRIOR_FLIPS + flips) / (PRIOR_BITS + bits)
        assert most_likely(Evidence(bits, flips, 0, 0)) == pytest.approx(expected, rel=1e-6)


def test_a_wrong_crc_raises_the_estimate_and_its_maximum_is_a_maximum() -> None:
    for wrong in (1, 3, 8.5):
        evidence = Evidence(500, 2, wrong, wrong * 400)
        best = most_likely(evidence)
        assert best > most_likely(Evidence(500, 2, 0, 0))

        def posterior(p: float, evidence: Evidence = evidence) -> float:
            prior = Evidence(PRIOR_BITS, PRIOR_FLIPS, 0, 0)
            return evidence.log_likelihood(p) + prior.log_likelihood(p)

        assert posterior(best) > max(posterior(best * 1.05), posterior(best / 1.05))
        # The derivative by finite differences.
        slope = (evidence.log_likelihood(0.0301) - evidence.log_likelihood(0.0299)) / 0.0002
        assert evidence.slope(0.03) == pytest.approx(slope, rel=1e-3)


def test_it_stays_within_its_limits() -> None:
    assert most_likely(Evidence(1e9, 0, 0, 0)) == pytest.approx(1e-4)
    assert most_likely(Evidence(1000, 1000, 5, 2000)) == pytest.approx(0.5)
    assert BerEstimator().estimate == pytest.approx(1e-2)
