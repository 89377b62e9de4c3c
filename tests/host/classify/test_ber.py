"""The estimator of the bit error rate, against the channel that makes the errors."""

import numpy as np
import pytest

from channel_sim import BER_GRID, BitFlips
from host.classify.ber import (
    BERS,
    MAX_READINGS,
    PRIOR_BITS,
    PRIOR_FLIPS,
    READING_FORGETTING,
    BerEstimator,
    log_likelihood,
    payload_ber,
)
from host.receive.events import FeatureFrame
from host.receive.matching import Match
from host.receive.radio import PacketReceiver
from host.receive.sources import Place
from host.receive.stream import StreamReceiver
from tests.support.host import answers, features, make_answer, make_frame
from wire.bundle import Bundle
from wire.frame import SYNC, FrameType, Header
from wire.model import MIN_BER


def estimates(bundle: Bundle, bers: list[float], seed: int, chunk: int = 0) -> np.ndarray:
    """Return the estimate (n,) after each frame, over a link with these BERs in turn. Lost frames repeat the last."""
    receiver, estimator, rng = StreamReceiver([bundle]), BerEstimator(), np.random.default_rng(seed)
    receiver.feed(make_frame(bundle, 0, chunk=chunk))
    out = []
    for n, ber in enumerate(bers, start=1):
        sent = make_frame(bundle, n, chunk=chunk)
        for frame in features(receiver.feed(BitFlips(ber).corrupt(sent, rng) or b"")):
            estimator.update(frame)
        out.append(estimator.estimate)
    return np.array(out)


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize("ber", BER_GRID)
def test_estimate_is_unbiased_and_steady(bundle: Bundle, ber: float, chunk: int) -> None:
    """The mean is within 10 % of the BER (of 1e-4 at 0), nine of ten within a factor of 2.5, from 1e-2 up 1.5."""
    result = estimates(bundle, [ber] * 1200, seed=1, chunk=chunk)[20:]
    low, high = np.quantile(result, [0.05, 0.95])
    print(f"BER {ber:g}: mean {result.mean():.2e}, 5 % {low:.2e}, 95 % {high:.2e}")
    truth = max(ber, MIN_BER)
    assert result.mean() == pytest.approx(truth, rel=0.1)
    assert truth / 2.5 <= low and high <= truth * 2.5
    if ber >= 1e-2:
        assert truth / 1.5 <= low and high <= truth * 1.5


@pytest.mark.parametrize("ber", [0.0, 1e-2, 5e-2, 1e-1])
def test_estimate_from_answers_is_unbiased(adaptive: Bundle, ber: float) -> None:
    """An answer shows the flips in its 64 bits and the sync's 32; the rarely received ones are accounted for."""
    receiver, estimator, rng, out = StreamReceiver([adaptive]), BerEstimator(), np.random.default_rng(1), []
    receiver.feed(make_answer(adaptive, 0))
    for n in range(1, 1000):
        for frame in answers(receiver.feed(BitFlips(ber).corrupt(make_answer(adaptive, n), rng) or b"")):
            out.append(estimator.update(frame))
            assert payload_ber(frame, estimator.estimate) == estimator.estimate
    low, high = np.quantile(out[20:], [0.05, 0.95])
    print(f"BER {ber:g}: mean {np.mean(out[20:]):.2e}, 5 % {low:.2e}, 95 % {high:.2e}")
    assert np.mean(out[20:]) == pytest.approx(ber, rel=0.1, abs=2e-4)
    assert ber / 2.5 <= low and high <= max(ber * 2.5, 2e-4)


JUMPS = [(0.0, 0.05), (0.0, 0.01), (0.01, 0.1), (0.1, 0.01), (0.05, 0.0)]


@pytest.mark.parametrize(("before", "after"), JUMPS)
def test_estimate_follows_jump_within_three_frames(bundle: Bundle, before: float, after: float) -> None:
    runs = [estimates(bundle, [before] * 30 + [after] * 10, seed) for seed in range(20)]
    mean = np.mean(runs, axis=0)
    assert mean[29] == pytest.approx(max(before, MIN_BER), rel=0.2)
    truth = max(after, MIN_BER)
    assert truth / 2 <= mean[32] <= truth * 2


def frame_with(
    bundle: Bundle, sync: int | None, header: int, crc_ok: bool, cut: int = 0, snr_db: float | None = None
) -> FeatureFrame:
    """Return a frame of chunk 0 with so many flips in sync and header, and `cut` of its 384 bits missing."""
    bits = np.zeros(384, np.int8)
    bits[384 - cut :] = -1
    match = Match(Header(FrameType.FEATURE, 7, 0, bundle.model_bits, 0), header, ())
    return FeatureFrame(bundle, match, bits, sync, not cut, crc_ok, Place(0, 0, 0, False, False), snr_db)


def test_first_frame_gives_mean_of_beta_posterior(bundle: Bundle) -> None:
    # The tolerance covers the omission of BERs below 1e-6, and steps of 5 %.
    for sync, header, bits in [(0, 1, 96), (3, 6, 96), (6, 11, 96), (None, 1, 64), (None, 9, 64)]:
        cut = frame_with(bundle, sync, header, crc_ok=False, cut=100)  # its CRC gives no evidence
        expected = (PRIOR_FLIPS + (sync or 0) + header) / (PRIOR_BITS + bits)
        assert BerEstimator().update(cut) == pytest.approx(expected, rel=0.005)
    clean = frame_with(bundle, 0, 2, crc_ok=True)  # 384 bits of payload and 16 of the CRC are known too
    assert BerEstimator().update(clean) == pytest.approx((PRIOR_FLIPS + 2) / (PRIOR_BITS + 96 + 400), rel=0.005)


def test_wrong_crc_raises_likelihood_of_flips(bundle: Bundle) -> None:
    likelihood = log_likelihood(frame_with(bundle, 1, 2, crc_ok=False))
    expected = 3 * np.log(BERS) + 93 * np.log(1 - BERS) + np.log(1 - (1 - BERS) ** 400)
    np.testing.assert_allclose(likelihood, expected, rtol=1e-6)
    assert BerEstimator().update(frame_with(bundle, 0, 0, crc_ok=False)) > BerEstimator().update(
        frame_with(bundle, 0, 0, crc_ok=False, cut=8)
    )


def test_likelihood_corrects_for_lost_frames(bundle: Bundle) -> None:
    """At 0.12, a limit of 10 of 96 flips admits only half of the frames: those with few flips."""
    rng, kept = np.random.default_rng(3), []
    for flips in rng.binomial(96, 0.12, 4000):
        if flips <= 10:
            frame = frame_with(bundle, 0, int(flips), crc_ok=False, cut=100)
            kept.append(log_likelihood(frame))
    passed = frame_with(bundle, 0, 0, crc_ok=False, cut=100)
    object.__setattr__(passed, "match", passed.match._replace(passed=((96, 10),)))
    correction = log_likelihood(passed) - log_likelihood(frame_with(bundle, 0, 0, crc_ok=False, cut=100))
    uncorrected = BERS[np.sum(kept, axis=0).argmax()]
    corrected = BERS[(np.sum(kept, axis=0) + len(kept) * correction).argmax()]
    assert uncorrected < 0.1 and corrected == pytest.approx(0.12, rel=0.06)


def test_snr_distinguishes_good_packets_from_bad(bundle: Bundle) -> None:
    """A fading link: half of the packets at 1e-3, half at 5e-2, distinguished by an SNR that is read with an error."""
    rng = np.random.default_rng(5)
    errors: dict[bool, list[float]] = {True: [], False: []}
    packets, with_snr, without = PacketReceiver([bundle]), BerEstimator(), BerEstimator()
    packets.take(make_frame(bundle, 0)[len(SYNC) :])
    for n in range(1, 600):
        good = bool(rng.random() < 0.5)
        truth = 1e-3 if good else 5e-2
        damaged = BitFlips(truth).corrupt(make_frame(bundle, n)[len(SYNC) :], rng) or b""
        frame = packets.take(damaged, snr_db=(-5.0 if good else -10.0) + rng.normal(0, 1))
        if isinstance(frame, FeatureFrame) and n > 100:
            blind = FeatureFrame(**{**frame.__dict__, "snr_db": None})
            errors[True].append(abs(np.log(with_snr.update(frame) / truth)))
            errors[False].append(abs(np.log(without.update(blind) / truth)))
    print({key: np.mean(value) for key, value in errors.items()})
    assert np.mean(errors[True]) < 0.4 < 2 * np.mean(errors[True]) < np.mean(errors[False])


def test_estimate_weighs_the_latest_frames_by_their_readings(bundle: Bundle) -> None:
    """Beyond 200 frames, in which the estimator's memory is filled twice."""
    rng, estimator = np.random.default_rng(8), BerEstimator()
    past: list[tuple[float, np.ndarray]] = []
    for flips in rng.integers(2, 5, 450).tolist():  # so few surprise it never
        frame = frame_with(bundle, None, flips, False, 100, float(rng.normal(-8, 1)))
        estimate, new = estimator.update(frame), log_likelihood(frame)
        ages = np.arange(len(past))[::-1]
        readings = np.array([reading for reading, _ in past])
        assert frame.snr_db is not None
        weights = np.exp(-0.5 * (readings - frame.snr_db) ** 2) * READING_FORGETTING**ages
        density = sum((w * each for w, (_, each) in zip(weights, past, strict=True)), new)
        posterior = np.exp(density - density.max()) * BERS**PRIOR_FLIPS * (1 - BERS) ** (PRIOR_BITS - PRIOR_FLIPS - 1)
        assert estimate == pytest.approx(posterior @ BERS / posterior.sum(), rel=1e-6)
        past = [*past, (frame.snr_db, new)][-MAX_READINGS:]


def test_constant_snr_improves_estimate(bundle: Bundle) -> None:
    frames = [
        frame_with(bundle, None, int(k), False, 100, -8.0) for k in np.random.default_rng(6).binomial(64, 0.05, 400)
    ]
    with_snr, without = BerEstimator(), BerEstimator()
    results = [(with_snr.update(f), without.update(FeatureFrame(**{**f.__dict__, "snr_db": None}))) for f in frames]
    spread = np.std(results[100:], axis=0)
    assert spread[0] < 0.7 * spread[1]


@pytest.mark.parametrize(("before", "after"), [(1e-3, 5e-2), (1e-2, 1e-1), (5e-2, 1e-3)])
def test_estimate_follows_jump_at_constant_snr(bundle: Bundle, before: float, after: float) -> None:
    """Interference does not show in the SNR reading."""
    mean = np.zeros(60)
    for seed in range(10):
        rng, packets, estimator = np.random.default_rng([9, seed]), PacketReceiver([bundle]), BerEstimator()
        packets.take(make_frame(bundle, 0)[len(SYNC) :])
        for n in range(60):
            ber = before if n < 40 else after
            frame = packets.take(
                BitFlips(ber).corrupt(make_frame(bundle, n + 1)[len(SYNC) :], rng) or b"", rng.normal(-5, 0.5)
            )
            if isinstance(frame, FeatureFrame):
                estimator.update(frame)
            mean[n] += estimator.estimate / 10
    assert mean[39] == pytest.approx(before, rel=0.3)
    assert after / 2 < mean[45] < after * 2


def test_reading_that_is_not_finite_is_ignored(bundle: Bundle) -> None:
    plain, odd = BerEstimator(), BerEstimator()
    for reading in (float("nan"), float("inf"), -float("inf")):
        frame = frame_with(bundle, None, 6, False)
        broken = FeatureFrame(**{**frame.__dict__, "snr_db": reading, "rssi_dbm": reading})
        assert odd.update(broken) == plain.update(frame)


def test_crc_correct_by_chance_is_not_trusted(bundle: Bundle) -> None:
    """At 0.1, no frame of 400 bits arrives clean. A correct CRC-16 is the one in 65536."""
    estimator = BerEstimator()
    for _ in range(30):
        estimator.update(frame_with(bundle, 3, 7, False))
    before = estimator.estimate
    assert estimator.update(frame_with(bundle, 3, 7, True)) == pytest.approx(before, rel=0.05)


def test_frame_truncated_within_its_crc_gives_no_crc_evidence(bundle: Bundle) -> None:
    receiver, estimator = StreamReceiver([bundle]), BerEstimator()
    for n in range(40):
        for frame in features(receiver.feed(make_frame(bundle, n)[: 61 + n % 2]) + receiver.flush()):
            assert frame.whole == bool(n % 2) and frame.received_bits == 384
            estimator.update(frame)
    assert estimator.estimate < 1.5e-4


def test_payload_ber(bundle: Bundle) -> None:
    clean, damaged = frame_with(bundle, 0, 0, True), frame_with(bundle, 0, 0, False)
    assert payload_ber(clean, 1e-2) == MIN_BER and payload_ber(clean, 0.1) == pytest.approx(0.1, rel=0.01)
    half = payload_ber(clean, 0.0274)  # where (1 - p)^400 is 2^-16: as likely damaged as not
    assert half == pytest.approx(0.0274 / 2, rel=0.02)
    assert payload_ber(frame_with(bundle, 0, 0, False, cut=8), 0.03) == 0.03
    assert payload_ber(damaged, 1e-3) == pytest.approx(1e-3 / (1 - 0.999**400))
    assert payload_ber(damaged, 0.1) == pytest.approx(0.1) and payload_ber(damaged, 0.5) == 0.5


def test_estimate_stays_within_limits(bundle: Bundle) -> None:
    # The prior's mean is 1e-2. Without the seventh of it below 1e-6, it is higher.
    assert BerEstimator().estimate == pytest.approx(1.14e-2, rel=0.01)
    clean, hopeless = BerEstimator(), BerEstimator()
    for _ in range(300):
        clean.update(frame_with(bundle, 0, 0, True))
        hopeless.update(frame_with(bundle, 32, 64, False))
    assert clean.estimate == MIN_BER
    assert hopeless.estimate == pytest.approx(0.5, rel=1e-6)
