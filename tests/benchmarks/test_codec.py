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


def test_codec_measures_a_bundle_on_its_own_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = golden()
    folder, out = tmp_path / "bundle", tmp_path / "new" / "codec.json"
    shutil.copytree(bundle_path(), folder)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["recipe"]["data"]["name"] = f"npz:{write_npz(tmp_path / 'golden.npz', images, labels, copies=1)}"
    (folder / "bundle.json").write_text(json.dumps(manifest))
    arguments = ["--bundle", str(folder), "--boards", str(folder), "--images", "16", "--draws", "2", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["codec", *arguments])
    assert codec.main() == 0
    assert capsys.readouterr().out.endswith(f"figures: {out}\n")
    figures = json.loads(out.read_text())
    assert (figures["images"], figures["dataset"]) == (16, "cifar10")
    schedule, bundle = manifest["recipe"]["schedule"], load_bundle(folder)
    phases = ("board_epochs", "epochs", "qat_epochs")
    assert figures["training"] == {key: schedule[key] for key in phases} | {"teacher": True}
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
    assert "## The bundle" in codec_page.section(figures)
    assert codec_page.draw(tmp_path, figures) == [codec_page.plot_name(figures)]
    del manifest["recipe"]["schedule"]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert codec.main() == 1
    assert "the recipe in bundle.json has no 'schedule'" in capsys.readouterr().err
