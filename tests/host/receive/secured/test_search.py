"""The search for secured frames: the wide window, its cost, floods of forged headers, and near misses of the tag."""

import time
from typing import Any

import numpy as np
import pytest

from channel_sim import BitFlips
from host.keys.policy import Auth, DevicePolicy
from host.receive.events import FeatureFrame
from host.receive.matching import AHEAD
from host.receive.secured import search
from host.receive.secured.devices import WINDOW, Refusal
from host.receive.stream import StreamReceiver
from tests.host.secured import DEVICE, KEYS, OTHER_KEYS, Host, SecuredBoard, refusals
from tests.support.host import answers, features, images, make_bundle, make_frame
from wire.bundle import Bundle
from wire.frame import SYNC
from wire.secure.frames import SecuredDevice
from wire.secure.keys import COUNTERS, Keys
from wire.secure.limits import WINDOW_RATE, max_tag_flips

TAG = slice(len(SYNC) + 8, len(SYNC) + 16)


def forged(board: SecuredBoard, counter: int, rng: np.random.Generator) -> bytes:
    """Return the frame of a stranger, who knows the header but not the tag."""
    frame = bytearray(board.frame(counter))
    frame[TAG] = rng.bytes(8)
    return bytes(frame)


def flip(frame: bytes, count: int, place: slice, rng: np.random.Generator) -> bytes:
    """Return a frame with so many flipped bits in a place."""
    bits = np.unpackbits(np.frombuffer(frame[place], np.uint8))
    bits[rng.permutation(len(bits))[:count]] ^= 1
    return frame[: place.start] + np.packbits(bits).tobytes() + frame[place.stop :]


@pytest.mark.parametrize("kind", ["frame", "answer"])
@pytest.mark.parametrize("counter", [0, AHEAD, 1000, WINDOW - 1])
def test_device_never_heard_is_found_in_the_window_from_zero(adaptive: Bundle, kind: str, counter: int) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    (frame,) = images(host.receive(getattr(board, kind)(counter)))
    assert (frame.image_number, frame.auth) == (counter, Auth.FULL)
    (after,) = images(host.receive(getattr(board, kind)(counter + 1)))
    assert (after.image_number, after.lost) == (counter + 1, 0)


@pytest.mark.parametrize("kind", ["frame", "answer"])
def test_device_is_found_after_a_long_silence_and_not_beyond_the_window(adaptive: Bundle, kind: str) -> None:
    assert WINDOW == 65_536
    for start in (5, 70_000, COUNTERS - WINDOW - 2):
        host, board = Host(adaptive), SecuredBoard(adaptive)
        host.receive(board.status(start))
        send = getattr(board, kind)
        assert len(images(host.receive(send(start)))) == 1
        assert refusals(host.receive(send(start + WINDOW + 1))) == [Refusal.NOT_AUTHENTIC]
        (frame,) = images(host.receive(send(start + WINDOW)))
        assert (frame.image_number, frame.lost) == (start + WINDOW, WINDOW - 1)


def test_last_counter_of_all_is_found(adaptive: Bundle) -> None:
    host, board = Host(adaptive), SecuredBoard(adaptive)
    host.receive(board.status(COUNTERS - 2))
    frames = images(host.receive(board.frame(COUNTERS - 2) + board.frame(COUNTERS - 1)))
    assert [frame.image_number for frame in frames] == [COUNTERS - 2, COUNTERS - 1]
    assert refusals(host.receive(make_frame(adaptive, 0))) == [Refusal.NOT_AUTHENTIC]


@pytest.mark.parametrize(("counter", "flips"), [(3, 11), (1000, 6)])
def test_tag_limits_are_those_of_the_analysis(adaptive: Bundle, counter: int, flips: int) -> None:
    """Of the only frame that can come with this header, 11 of 64 bits may be flipped; of one of 2,048, 6."""
    rng, board = np.random.default_rng(0), SecuredBoard(adaptive)
    assert flips == (max_tag_flips(1) if counter < 10 else max_tag_flips(2048, WINDOW_RATE))
    for _ in range(20):
        frame = board.frame(counter)
        assert len(features(Host(adaptive).receive(flip(frame, flips, TAG, rng)))) == 1
        refused = Host(adaptive).receive(flip(frame, flips + 1, TAG, rng))
        assert refusals(refused) == [Refusal.NOT_AUTHENTIC] and not images(refused)


def test_header_with_more_flips_than_its_code_corrects_is_found(adaptive: Bundle) -> None:
    rng, board, header = np.random.default_rng(0), SecuredBoard(adaptive), slice(4, 12)
    for _ in range(20):
        (frame,) = features(Host(adaptive).receive(flip(board.frame(3), 12, header, rng)))
        assert (frame.header_flips, frame.image_number) == (12, 3)
        assert not images(Host(adaptive).receive(flip(board.frame(3), 13, header, rng)))


def test_250_forged_headers_between_honest_frames_cost_none_of_them(adaptive: Bundle) -> None:
    rng = np.random.default_rng(0)
    others = {device: DevicePolicy(Keys.derive(device.to_bytes(16, "big"))) for device in range(20)}
    host = Host(adaptive, others | {DEVICE: DevicePolicy(KEYS)})
    board, strangers = SecuredBoard(adaptive), [SecuredBoard(adaptive, device, OTHER_KEYS) for device in range(20)]
    host.receive(board.frame(0))
    found, spent = 0, 0.0
    for counter in range(1, 9):
        host.clock.now += 60
        for _ in range(250):
            fake = strangers[int(rng.integers(20))]
            started = time.process_time()
            assert not images(host.receive(forged(fake, int(rng.integers(1 << 20)), rng)))
            spent += time.process_time() - started
        found += [frame.image_number for frame in images(host.receive(board.frame(counter)))] == [counter]
    assert found == 8
    assert spent / (8 * 250) < 0.02, "seconds of CPU time per forged frame; 1 ms on the development machine"


def test_wide_searches_are_bounded_and_do_not_hide_the_next_frames(
    adaptive: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, host, board = np.random.default_rng(0), Host(adaptive), SecuredBoard(adaptive)
    searches: list[int] = []
    real = search.SecuredSearch._window_tags

    def counted(self: search.SecuredSearch, sender: SecuredDevice, *rest: Any) -> np.ndarray:  # noqa: ANN401
        searches.append(sender.device)
        return real(self, sender, *rest)

    monkeypatch.setattr(search.SecuredSearch, "_window_tags", counted)
    host.receive(board.frame(0))
    for _ in range(2 * search.BURST):
        host.receive(forged(board, 500, rng))
    assert len(searches) == search.BURST
    assert not images(host.receive(board.frame(5000))), "no budget is left for this one"
    assert len(images(host.receive(board.frame(1)))) == 1, "which needs none"
    host.clock.now += 1
    assert len(images(host.receive(board.frame(5000)))) == 1


def test_counter_that_a_board_reports_is_searched_but_not_trusted(adaptive: Bundle) -> None:
    far, board = 10 * WINDOW, SecuredBoard(adaptive)
    host = Host(adaptive)
    assert not images(host.receive(board.frame(far)))
    host.line.expect_counter(DEVICE, far)
    host.line.expect_counter(3, far)
    assert host.parser.gate.accepted[DEVICE].counter == -1
    assert not images(host.receive(SecuredBoard(adaptive, keys=OTHER_KEYS).frame(far)))
    assert [frame.image_number for frame in images(host.receive(board.frame(2) + board.frame(far)))] == [2, far]
    assert not images(host.receive(board.frame(3)))


def test_two_models_of_a_device_are_told_apart_by_the_tag(adaptive: Bundle, bundle: Bundle) -> None:
    receiver = StreamReceiver([adaptive, bundle], policies={DEVICE: DevicePolicy(KEYS)})
    sent = [SecuredBoard(adaptive).frame(0), SecuredBoard(bundle).frame(1), SecuredBoard(adaptive).answer(2)]
    frames = images(receiver.feed(b"".join(sent)))
    assert [frame.model.model_id for frame in frames] == [adaptive.model_id, bundle.model_id, adaptive.model_id]
    assert [frame.lost for frame in frames] == [0, 0, 0], "the counter is the device's"


def test_hundred_classes_cost_no_tags_beforehand(tmp_path_factory: pytest.TempPathFactory) -> None:
    model = make_bundle(tmp_path_factory.mktemp("secured") / "hundred", n_symbols=0, classes=100, answer=True)
    host, board, rng = Host(model), SecuredBoard(model), np.random.default_rng(0)
    started, found = time.process_time(), 0
    for counter in range(200):
        found += len(answers(host.receive(BitFlips(0.05).corrupt(board.answer(counter), rng) or b"")))
    assert found >= 195
    assert (time.process_time() - started) / 200 < 0.02, "seconds per frame; 1 ms on the development machine"


def test_phantoms_in_noise_are_not_authentic(adaptive: Bundle) -> None:
    host, rng = Host(adaptive), np.random.default_rng(0)
    assert not images(host.receive(rng.bytes(200_000)))
    assert host.parser.sources == {}


def test_frame_in_single_bytes_takes_one_wide_search(adaptive: Bundle) -> None:
    """Each byte after the header took a search, so that the budget of the device was gone after a few silences."""
    host, board = Host(adaptive), SecuredBoard(adaptive)
    for counter in range(0, 20 * AHEAD, 2 * AHEAD):
        frame = board.frame(counter)
        (found,) = [event for byte in frame for event in host.line.feed(bytes([byte]))]
        assert isinstance(found, FeatureFrame) and (found.image_number, found.auth) == (counter, Auth.FULL)
