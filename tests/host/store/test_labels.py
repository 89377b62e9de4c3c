"""Labels that humans give to readings."""

import pytest

from host.errors import HostError
from host.store.store import LabelRow, Store
from tests.host.store.records import reading


def test_labels_are_counted_by_bundle(store: Store) -> None:
    store.write([reading(n, bundle="general" if n < 4 else "other") for n in range(6)])
    for number, label in enumerate(["fox", "cat", " fox ", "Füchse, rot", "fox"]):
        store.set_label(f"home-3-{number}", label)
    assert store.labels() == [
        LabelRow("general", "58e3c1f2", "Füchse, rot", 1),
        LabelRow("general", "58e3c1f2", "cat", 1),
        LabelRow("general", "58e3c1f2", "fox", 2),
        LabelRow("other", "58e3c1f2", "fox", 1),
    ]
    assert store.labels_of(["home-3-1", "home-3-5", "gone"]) == {"home-3-1": "cat"}
    store.set_label("home-3-1", None)
    assert store.labels_of(["home-3-1"]) == {} and store.size().labelled == 4


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("", "a label has at least one character"), ("  ", "a label has at least one character"),
        ("x" * 65, "has 65 characters, more than 64"), ("a\nb", "has characters that cannot be printed"),
        ("\x1b[31m", "has characters that cannot be printed"), ("\ud800", "has characters that cannot be printed"),
    ],
)  # fmt: skip
def test_set_label_refuses_unusable_labels(store: Store, label: str, reason: str) -> None:
    store.write([reading()])
    with pytest.raises(HostError, match=reason):
        store.set_label("home-3-0", label)
    assert store.labels() == []


def test_set_label_refuses_unknown_readings(store: Store) -> None:
    with pytest.raises(HostError, match="there is no reading 'home\\\\n'"):
        store.set_label("home\n", "fox")
