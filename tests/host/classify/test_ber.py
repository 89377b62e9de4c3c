"""The estimate of the bit error rate, against the channel that made the errors."""

import numpy as np
import pytest

from channel_sim import BitFlips
from host.classify.ber import LEAST, PRIOR_BITS, PRIOR_FLIPS, RATES, BerEstimator, log_likelihood, payload_ber
from host.receive.events import FeatureFrame
from host.receive.headers import Match
from host.receive.radio import PacketReceiver
from host.receive.sources import Place
from host.receive.stream import StreamReceiver
from tests.support.host import features, make_bundle, make_frame
from wire.bundle import Bundle
from wire.frame import FrameType, Header

GRID = [0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("ber") / "default")


def estimates(bundle: Bundle, rates: list[float], seed: int, chunk: int = 0) -> np.ndarray:
    """One estimate a frame (n,), over a link with each of these rates in turn; lost ones repeat the last."""
    receiver, estimator, rng = StreamReceiver([bundle]), BerEstimator(), np.random.default_rng(seed)
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
    """The mean within 10 % of the rate (of 1e-4 at 0), nine of ten within a factor of 2.5, 1.5 from 1e-2."""
    found = estimates(bundle, [ber] * 1200, seed=1, chunk=chunk)[20:]
    low, high = np.quantile(found, [0.05, 0.95])
    print(f"BER {ber:g}: mean {found.mean():.2e}, 5 % {low:.2e}, 95 % {high:.2e}")
    truth = max(ber, LEAST)
    assert found.mean() == pytest.approx(truth, rel=0.1)
    assert truth / 2.5 <= low and high <= truth * 2.5
    if ber >= 1e-2:
        assert truth / 1.5 <= low and high <= truth * 1.5


JUMPS = [(0.0, 0.05), (0.0, 0.01), (0.01, 0.1), (0.1, 0.01), (0.05, 0.0)]


@pytest.mark.parametrize(("before", "after"), JUMPS)
def test_it_follows_a_jump_within_three_frames(bundle: Bundle, before: float, after: float) -> None:
    runs = [estimates(bundle, [before] * 30 + [after] * 10, seed) for seed in range(20)]
    mean = np.mean(runs, axis=0)
    assert mean[29] == pytest.approx(max(before, LEAST), rel=0.2)
    truth = max(after, LEAST)
    assert truth / 2 <= mean[32] <= truth * 2


def seen(
    bundle: Bundle, sync: int | None, header: int, crc_ok: bool, cut: int = 0, snr_db: float | None = None
) -> FeatureFrame:
    """A frame of chunk 0 with so many flips in sync and header, `cut` of its 384 bits missing."""
    bits = np.zeros(384, np.int8)
    bits[384 - cut :] = -1
    match = Match(Header(FrameType.FEATURE, 7, 0, bundle.model_bits, 0), header, ())
    return FeatureFrame(bundle, match, bits, sync, not cut, crc_ok, Place(0, 0, 0, False, False), snr_db)


def test_the_first_frame_gives_the_mean_of_the_beta_posterior(bundle: Bundle) -> None:
    # Within what it costs that rates below 1e-6 are left out, and steps of 5 %.
    for sync, header, bits in [(0, 1, 96), (3, 6, 96), (6, 11, 96), (None, 1, 64), (None, 9, 64)]:
        cut = seen(bundle, sync, header, crc_ok=False, cut=100)  # its CRC says nothing
        expected = (PRIOR_FLIPS + (sync or 0) + header) / (PRIOR_BITS + bits)
        assert BerEstimator().update(cut) == pytest.approx(expected, rel=0.005)
    clean = seen(bundle, 0, 2, crc_ok=True)  # 384 bits of payload and 16 of the CRC are known too
    assert BerEstimator().update(clean) == pytest.approx((PRIOR_FLIPS + 2) / (PRIOR_BITS + 96 + 400), rel=0.005)


def test_a_wrong_crc_counts_for_what_it_says(bundle: Bundle) -> None:
    said = log_likelihood(seen(bundle, 1, 2, crc_ok=False))
    expected = 3 * np.log(RATES) + 93 * np.log(1 - RATES) + np.log(1 - (1 - RATES) ** 400)
    np.testing.assert_allclose(said, expected, rtol=1e-6)
    assert BerEstimator().update(seen(bundle, 0, 0, crc_ok=False)) > BerEstimator().update(
        seen(bundle, 0, 0, crc_ok=False, cut=8)
    )


def test_frames_that_noise_keeps_away_are_allowed_for(bundle: Bundle) -> None:
    """At 0.12, a header that bears 10 of 96 flips lets only half of the frames through: those with few."""
    rng, kept = np.random.default_rng(3), []
    for flips in rng.binomial(96, 0.12, 4000):
        if flips <= 10:
            frame = seen(bundle, 0, int(flips), crc_ok=False, cut=100)
            kept.append(log_likelihood(frame))
    passed = seen(bundle, 0, 0, crc_ok=False, cut=100)
    object.__setattr__(passed, "match", passed.match._replace(passed=((96, 10),)))
    correction = log_likelihood(passed) - log_likelihood(seen(bundle, 0, 0, crc_ok=False, cut=100))
    naive = RATES[np.sum(kept, axis=0).argmax()]
    allowed = RATES[(np.sum(kept, axis=0) + len(kept) * correction).argmax()]
    assert naive < 0.1 and allowed == pytest.approx(0.12, rel=0.06)


def test_a_radio_s_snr_tells_good_packets_from_bad_ones(bundle: Bundle) -> None:
    """A fading link: half of the packets at 1e-3, half at 5e-2, told apart by an SNR that is read with an error."""
    rng, errors = np.random.default_rng(5), {True: [], False: []}
    packets, with_snr, without = PacketReceiver([bundle]), BerEstimator(), BerEstimator()
    packets.take(make_frame(bundle, 0)[4:])
    for n in range(1, 600):
        good = bool(rng.random() < 0.5)
        truth = 1e-3 if good else 5e-2
        damaged = BitFlips(truth).corrupt(make_frame(bundle, n)[4:], rng) or b""
        frame = packets.take(damaged, snr_db=(-5.0 if good else -10.0) + rng.normal(0, 1))
        if isinstance(frame, FeatureFrame) and n > 100:
            blind = FeatureFrame(**{**frame.__dict__, "snr_db": None})
            errors[True].append(abs(np.log(with_snr.update(frame) / truth)))
            errors[False].append(abs(np.log(without.update(blind) / truth)))
    print({key: np.mean(value) for key, value in errors.items()})
    assert np.mean(errors[True]) < 0.4 < 2 * np.mean(errors[True]) < np.mean(errors[False])


def test_a_link_whose_snr_never_changes_is_known_better_with_it(bundle: Bundle) -> None:
    frames = [seen(bundle, None, int(k), False, 100, -8.0) for k in np.random.default_rng(6).binomial(64, 0.05, 400)]
    with_snr, without = BerEstimator(), BerEstimator()
    found = [(with_snr.update(f), without.update(FeatureFrame(**{**f.__dict__, "snr_db": None}))) for f in frames]
    spread = np.std(found[100:], axis=0)
    assert spread[0] < 0.7 * spread[1]


@pytest.mark.parametrize(("before", "after"), [(1e-3, 5e-2), (1e-2, 1e-1), (5e-2, 1e-3)])
def test_a_jump_is_followed_though_the_snr_stays(bundle: Bundle, before: float, after: float) -> None:
    """Interference that an SNR reading does not show."""
    mean = np.zeros(60)
    for seed in range(10):
        rng, packets, estimator = np.random.default_rng([9, seed]), PacketReceiver([bundle]), BerEstimator()
        packets.take(make_frame(bundle, 0)[4:])
        for n in range(60):
            ber = before if n < 40 else after
            frame = packets.take(BitFlips(ber).corrupt(make_frame(bundle, n + 1)[4:], rng) or b"", rng.normal(-5, 0.5))
            if isinstance(frame, FeatureFrame):
                estimator.update(frame)
            mean[n] += estimator.estimate / 10
    assert mean[39] == pytest.approx(before, rel=0.3)
    assert after / 2 < mean[45] < after * 2


def test_a_reading_that_is_no_number_is_no_reading(bundle: Bundle) -> None:
    plain, odd = BerEstimator(), BerEstimator()
    for reading in (float("nan"), float("inf"), -float("inf")):
        frame = seen(bundle, None, 6, False)
        broken = FeatureFrame(**{**frame.__dict__, "snr_db": reading, "rssi_dbm": reading})
        assert odd.update(broken) == plain.update(frame)


def test_a_crc_that_is_right_by_chance_is_not_believed(bundle: Bundle) -> None:
    """At 0.1 no frame of 400 bits comes clean: one whose CRC-16 is right is the one in 65536."""
    estimator = BerEstimator()
    for _ in range(30):
        estimator.update(seen(bundle, 3, 7, False))
    before = estimator.estimate
    assert estimator.update(seen(bundle, 3, 7, True)) == pytest.approx(before, rel=0.05)


def test_a_frame_cut_within_its_crc_says_nothing_by_it(bundle: Bundle) -> None:
    receiver, estimator = StreamReceiver([bundle]), BerEstimator()
    for n in range(40):
        for frame in features(receiver.feed(make_frame(bundle, n)[: 61 + n % 2]) + receiver.flush()):
            assert frame.whole == bool(n % 2) and frame.received_bits == 384
            estimator.update(frame)
    assert estimator.estimate < 1.5e-4


def test_what_a_payload_s_decoder_is_told(bundle: Bundle) -> None:
    clean, damaged = seen(bundle, 0, 0, True), seen(bundle, 0, 0, False)
    assert payload_ber(clean, 1e-2) == LEAST and payload_ber(clean, 0.1) == pytest.approx(0.1, rel=0.01)
    half = payload_ber(clean, 0.0274)  # where (1 - p)^400 is 2^-16: as likely harmed as not
    assert half == pytest.approx(0.0274 / 2, rel=0.02)
    assert payload_ber(seen(bundle, 0, 0, False, cut=8), 0.03) == 0.03
    assert payload_ber(damaged, 1e-3) == pytest.approx(1e-3 / (1 - 0.999**400))
    assert payload_ber(damaged, 0.1) == pytest.approx(0.1) and payload_ber(damaged, 0.5) == 0.5


def test_it_stays_within_its_limits(bundle: Bundle) -> None:
    # The prior's mean is 1e-2; without what lies below 1e-6, a seventh of it, it is more.
    assert BerEstimator().estimate == pytest.approx(1.14e-2, rel=0.01)
    clean, hopeless = BerEstimator(), BerEstimator()
    for _ in range(300):
        clean.update(seen(bundle, 0, 0, True))
        hopeless.update(seen(bundle, 32, 64, False))
    assert clean.estimate == LEAST
    assert hopeless.estimate == pytest.approx(0.5, rel=1e-6)
