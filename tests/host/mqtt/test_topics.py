"""Topics: names, slots, and the filters of partitions."""

import pytest

from host.errors import HostError
from host.mqtt import topics


@pytest.mark.parametrize("name", ["home", "Büro 2", "a" * 64, "x$"])
def test_check_name_accepts_what_a_topic_can_hold(name: str) -> None:
    assert topics.check_name(name, "site") == name
    assert topics.packets(name, "north").count("/") == 4


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a\nb", "$SYS", "a" * 65, "a\0"])
def test_check_name_refuses_in_one_line(name: str) -> None:
    with pytest.raises(HostError, match="site ") as error:
        topics.check_name(name, "site")
    assert str(error.value).isprintable()


def test_slot_is_the_same_everywhere() -> None:
    assert (topics.slot("home"), topics.packets("home", "north")) == (208, "inkling/packets/208/home/north")


@pytest.mark.parametrize("partitions", [1, 2, 3, 8, 100, 256])
def test_every_site_is_in_one_partition(partitions: int) -> None:
    filters = [topics.packet_filters(k, partitions) for k in range(partitions)]
    for site in (f"site {n}" for n in range(300)):
        slot = f"{topics.slot(site):03d}"
        owners = [k for k, own in enumerate(filters) if any(one.split("/")[2] in (slot, "+") for one in own)]
        assert owners == [topics.slot(site) % partitions]
    assert len({one for own in filters for one in own}) == sum(map(len, filters))


@pytest.mark.parametrize(("remainder", "partitions"), [(3, 3), (-1, 3), (0, 0), (0, 257)])
def test_packet_filters_refuses_what_does_not_exist(remainder: int, partitions: int) -> None:
    with pytest.raises(HostError, match=f"no partition {remainder}/{partitions}"):
        topics.packet_filters(remainder, partitions)
