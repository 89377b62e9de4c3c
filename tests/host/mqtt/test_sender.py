"""What waits for a broker: order, the newest state, repetitions, and what is dropped."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from host.mqtt.broker import Broker
from host.mqtt.sender import MemoryOutbox, Message, Sender
from tests.support.mqtt.broker import listening, running, wait_until


def topics_of(messages: Sequence[Message]) -> list[str]:
    return [message.topic for message in messages]


def test_take_gives_each_message_once_until_rewind() -> None:
    outbox = MemoryOutbox(most=10)
    for topic in "abc":
        outbox.put(topic, b"")
    assert topics_of(outbox.take(2)) == ["a", "b"] and topics_of(outbox.take(9)) == ["c"]
    assert not outbox.take(9) and outbox.waiting == 3
    outbox.rewind()
    first = outbox.take(9)
    assert topics_of(first) == ["a", "b", "c"]
    outbox.sent([first[1].key])
    outbox.rewind()
    assert topics_of(outbox.take(9)) == ["a", "c"]


def test_retained_message_replaces_that_of_its_topic() -> None:
    outbox = MemoryOutbox(most=1)
    for n in range(3):
        outbox.put("state", bytes([n]), retain=True)
    (message,) = outbox.take(9)
    assert (message.payload, message.retain) == (b"\2", True)
    outbox.put("state", b"newer", retain=True)
    outbox.sent([message.key])
    assert [one.payload for one in outbox.take(9)] == [b"newer"] and outbox.waiting == 1


def test_states_are_sent_again_after_rewind_and_cleared_ones_only_until_they_are_sent() -> None:
    outbox = MemoryOutbox(most=1)
    outbox.put("kept", b"x", retain=True)
    outbox.clear("gone")
    messages = outbox.take(9)
    assert [message.payload for message in messages] == [b"x", b""]
    outbox.sent([message.key for message in messages])
    assert outbox.waiting == 0
    outbox.rewind()
    assert topics_of(outbox.take(9)) == ["kept"]


def test_oldest_messages_are_dropped_and_counted() -> None:
    outbox = MemoryOutbox(most=3)
    for n in range(5):
        outbox.put(str(n), b"")
    assert topics_of(outbox.take(9)) == ["2", "3", "4"] and (outbox.dropped, outbox.waiting) == (2, 3)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.booleans()),
            st.tuples(st.sampled_from(["take", "ack", "rewind"]), st.integers(0, 5)),
        )
    )
)
def test_every_message_is_sent_or_dropped(steps: list[tuple[str, int]]) -> None:
    outbox, under_way, sent, put = MemoryOutbox(most=4), list[Message](), set[str](), 0
    for step, number in steps:
        if step == "put":
            outbox.put(f"m{put}", b"", retain=False)
            put += 1
        elif step == "take":
            under_way += outbox.take(number)
        elif step == "ack" and under_way:
            done, under_way = under_way[:number], under_way[number:]
            outbox.sent([message.key for message in done])
            sent.update(topics_of(done))
        elif step == "rewind":
            under_way = []
            outbox.rewind()
    waiting = outbox.waiting
    outbox.rewind()
    rest = topics_of(outbox.take(99))
    assert rest == sorted(rest, key=lambda topic: int(topic[1:])) and len(rest) == waiting
    assert not sent & set(rest)
    assert len(sent) + len(rest) + outbox.dropped >= put  # one that is dropped under way may still be acknowledged


def test_refused_messages_are_counted_and_wait(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic readwrite allowed/#\ntopic readwrite inkling/#\n")
    outbox = MemoryOutbox(most=10)
    with running(tmp_path, f"acl_file {tmp_path / 'acl'}") as mosquitto:
        sender = Sender(Broker.of(mosquitto.url), "north", [outbox])
        outbox.put("forbidden", b"")
        sender.start()
        wait_until(lambda: sender.refused)
        assert outbox.waiting == 1
        sender.close()


def test_messages_that_nobody_subscribes_to_are_counted(tmp_path: Path) -> None:
    outbox = MemoryOutbox(most=10)
    with running(tmp_path) as mosquitto, listening(mosquitto, "heard") as listener:
        sender = Sender(Broker.of(mosquitto.url), "north", [outbox])
        outbox.put("heard", b"1")
        outbox.put("unheard", b"2")
        sender.start()
        wait_until(lambda: listener.messages and not outbox.waiting)
        assert sender.unheard == 1
        sender.close()
