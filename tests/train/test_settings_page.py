"""docs/settings.md is up to date with its generator and has every setting."""

from dataclasses import dataclass

from train.classifiers.architectures import ARCHITECTURES
from train.codecs.split.registry import SPLIT_CODECS
from train.config import CodecConfig
from train.settings import types, without_none
from train.settings_page import PAGE, comments, kind_words, page, toml


def test_committed_page_equals_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m train.settings_page`"


def test_page_has_every_setting_of_a_codec() -> None:
    text = page()
    for name, kind in types(CodecConfig).items():
        fields = getattr(without_none(kind), "__dataclass_fields__", None)
        assert f"### [{name}]\n" in text if fields else f"| `{name}` |" in text
        for field in fields or ():
            assert f"| `{field}` |" in text


def test_page_has_every_split_codec_and_architecture() -> None:
    text = page()
    assert [name for name in (*SPLIT_CODECS, *ARCHITECTURES) if f"`{name}`" not in text] == []


def test_types_and_defaults_are_written_as_in_toml() -> None:
    assert kind_words(tuple[tuple[int, int], ...]) == "list of lists of 2 integers"
    assert kind_words(tuple[str, ...] | None) == "list of strings"
    assert kind_words(int | float) == "integer or number"
    assert toml(((0, 8), (0, 4))) == "[[0, 8], [0, 4]]"
    assert toml((("bsc",), True, 1e-3)) == '[["bsc"], true, 0.001]'


@dataclass
class Commented:
    """Fields with a comment behind, above, above in two lines, and without one."""

    behind: int  # one
    # two
    above: int
    # three,
    # and more
    above_in_two_lines: int = 3
    without: int = 4


def test_comments_stand_behind_or_above_a_field() -> None:
    assert comments(Commented) == {"behind": "one", "above": "two", "above_in_two_lines": "three, and more"}
