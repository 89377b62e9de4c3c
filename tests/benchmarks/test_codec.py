"""Test of the figures of one bundle: prefixes, answers and mode adaptive on its own data set."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.accuracy import codec, codec_page
from channel_sim.channels.bsc import BER_GRID
from tests.support.firmware import bundle_path
from tests.support.train import golden, write_npz
from wire.bundle import load as load_bundle

GRID = [f"{ber:g}" for ber in BER_GRID]


def with_recipe(folder: Path, copy: Path, **changes: object) -> Path:
    """Copy a bundle and change its recipe; return the copy."""
    shutil.copytree(folder, copy)
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["recipe"] |= changes
    (copy / "bundle.json").write_text(json.dumps(manifest))
    return copy


@pytest.mark.parametrize(
    ("changes", "message"),
    [({}, "trained with the same seed as"), ({"seed": 1, "answer_weight": 0.5}, "differs from that of")],
)
def test_codec_refuses_bundles_that_differ_in_another_way_than_the_seed(
    changes: dict[str, float],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = with_recipe(bundle_path(), tmp_path / "other", **changes)
    monkeypatch.setattr("sys.argv", ["codec", "--bundle", str(bundle_path()), "--images", "4", "--seeds", str(other)])
    assert codec.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_codec_measures_a_bundle_on_its_own_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = golden()
    folder, out = tmp_path / "bundle", tmp_path / "new" / "codec.json"
    shutil.copytree(bundle_path(), folder)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["recipe"]["data"]["name"] = f"npz:{write_npz(tmp_path / 'golden.npz', images, labels, copies=1)}"
    (folder / "bundle.json").write_text(json.dumps(manifest))
    seed = with_recipe(folder, tmp_path / "seed", seed=7)
    arguments = ["--bundle", str(folder), "--boards", str(folder), "--images", "16", "--draws", "2", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["codec", *arguments, "--seeds", str(seed)])
    assert codec.main() == 0
    assert capsys.readouterr().out.endswith(f"figures: {out}\n")
    figures = json.loads(out.read_text())
    assert (figures["images"], figures["dataset"]) == (16, "cifar10")
    schedule, bundle = manifest["recipe"]["schedule"], load_bundle(folder)
    phases = ("board_epochs", "epochs", "qat_epochs")
    assert figures["training"] == {key: schedule[key] for key in phases} | {"balance_epochs": 0, "teacher": True}
    prefixes = [chunk for chunk, (first, _) in enumerate(bundle.chunks) if first == 0]
    assert list(figures["payload_bytes"]) == [str(bundle.chunk_bytes(chunk)) for chunk in prefixes]
    assert bundle.answer and figures["adaptive"]["threshold"] == bundle.threshold
    for way in [*figures["payload_bytes"].values(), figures["answers"], figures["adaptive"]]:
        assert list(way["by_ber"]) == GRID
        assert way["by_ber"]["0"]["accuracy"] == way["by_ber"]["0"]["accuracy_sent"] > 0
        assert way["by_ber"]["0"]["frames_lost"] == 0
        assert way["by_ber"]["0"]["accuracy_std"] == 0.0 <= way["by_ber"]["0.1"]["accuracy_sent_std"]
        assert 0.05 < way["by_ber"]["0.1"]["ber_estimated"] < 0.15
    assert figures["boards"] == {bundle.name: figures["answers"]}
    assert figures["training_seed"] == manifest["recipe"]["seed"]
    assert list(figures["seeds"]) == ["7"]
    other = figures["seeds"]["7"]
    assert list(other["answers"]["by_ber"]) == ["0", "0.1"]
    assert other["answers"]["by_ber"]["0"] == figures["answers"]["by_ber"]["0"]
    other["answers"]["by_ber"]["0"]["accuracy_sent"] = 0.5
    figures["answers"]["by_ber"]["0"]["accuracy_sent"] = 0.8
    section = codec_page.section(figures)
    assert "## The bundle" in section
    assert "Training seeds 0, 7," in section
    assert "| answers | 0 | 65.00 % (21.21) | 80.00, 50.00 |" in section
    assert codec_page.draw(tmp_path, figures) == [codec_page.plot_name(figures)]
    monkeypatch.setattr("sys.argv", ["codec", *arguments])
    del manifest["recipe"]["schedule"]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert codec.main() == 1
    assert "the recipe in bundle.json has no 'schedule'" in capsys.readouterr().err
