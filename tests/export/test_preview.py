"""A preview network is added to the bundle of its codec, and nothing else of the bundle changes."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from export import preview as preview_export
from export.errors import ExportError
from host.classify import onnx_check
from host.classify.preview import PreviewDecoder
from tests.conftest import Exported
from tests.support import train as train_support
from tests.support.embedding import colours
from tests.support.host import make_bundle
from train import evaluate
from train.trainers.preview import load_preview
from wire.bundle import FILES, PREVIEW_FILE, Bundle, describe_file, load

pytestmark = pytest.mark.training


@pytest.fixture
def without(preview_bundle: Exported, tmp_path: Path) -> Bundle:
    """A copy of the bundle as it was without its preview."""
    return load(shutil.copytree(preview_bundle.folder.with_name("without"), tmp_path / "colours"))


@pytest.fixture
def added(preview_bundle: Exported, tmp_path: Path) -> Bundle:
    """A copy of the bundle with its preview."""
    return load(shutil.copytree(preview_bundle.folder, tmp_path / "colours"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_export_adds_the_preview_and_changes_nothing_else(preview_bundle: Exported) -> None:
    before, after = load(preview_bundle.folder.with_name("without")), load(preview_bundle.folder)
    assert not before.has_preview and after.has_preview
    assert before.model_id == after.model_id
    old, new = contents(before.path), contents(after.path)
    assert new.keys() - old.keys() == {PREVIEW_FILE}
    assert [name for name in old if old[name] != new[name]] == ["MODEL_CARD.md", "bundle.json"]
    preview = after.manifest["preview"]
    files = before.manifest["files"] | {PREVIEW_FILE: describe_file(after.preview_path)}
    assert after.manifest == before.manifest | {"files": files, "preview": preview}
    assert preview["recipe"]["preview"]["width"] == 16 and preview["epoch"] == 8
    assert preview["held_out"]["0"] > preview["held_out"]["prefix 28"]
    card = new["MODEL_CARD.md"].decode()
    assert "may show what was not there" in card and f"| BER 0.05 | {preview['held_out']['0.05']:.3f} |" in card
    assert "Preview" not in old["MODEL_CARD.md"].decode()


def test_export_prints_the_proofs(preview_bundle: Exported) -> None:
    output, proofs = preview_bundle.output, load(preview_bundle.folder).manifest["preview"]["proofs"]
    assert "bundle against the preview's codec, share that differ: " in output and proofs["other_symbols"] <= 0.1
    assert "preview, PyTorch against ONNX, max difference of pixels: " in output and proofs["preview_onnx"] <= 1
    assert output.count(") ok\n") == 2 and "FAILED" not in output


def test_preview_onnx_computes_what_pytorch_does(preview_bundle: Exported, previewed: Path) -> None:
    bundle = load(preview_bundle.folder)
    onnx_check.check(bundle.preview_path.read_bytes())
    preview, codec, _ = load_preview(previewed / "preview")
    preview.half().float().fold()  # not as the export rounds, but nearly
    seen = colours(20, seed=9)
    symbols, ber = evaluate.encode(codec, seen).symbols, torch.full((20,), 0.02)
    symbols[::2, 56:] = -1
    found = PreviewDecoder(bundle).images(symbols.numpy(), ber.numpy())
    with torch.no_grad():
        expected = 255 * preview(symbols, ber).permute(0, 2, 3, 1).numpy()
    assert found.dtype == np.uint8 and found.shape == (20, 16, 16, 3)
    assert abs(found - expected).max() < 4
    assert np.corrcoef(found[1::2].ravel(), seen[1::2].ravel())[0, 1] > 0.7
    for word in ("stack_trace", "site-packages", "/root", "/home", "/tmp"):
        assert word.encode() not in bundle.preview_path.read_bytes()


def fails(capsys: pytest.CaptureFixture[str], message: str, *arguments: object) -> None:
    train_support.fails(capsys, message, *arguments, module="export")


def test_export_refuses_what_is_not_the_bundle_of_the_codec(
    previewed: Path, without: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = previewed / "preview"
    hint = "a preview is added to the bundle of its codec, which is exported first: bundle "
    fails(capsys, f"{hint}{tmp_path}/none: no such folder", run, "-o", tmp_path / "none")
    classes = make_bundle(tmp_path / "classes")
    fails(capsys, f"bundle {classes.path} is no general bundle", run, "-o", classes.path)
    other = make_bundle(tmp_path / "other", embedding=6)
    np.savez(other.golden_path, images=np.zeros((2, 8, 6, 3), np.uint8), symbols=np.zeros((2, 128), np.int64))
    manifest = json.loads((other.path / "bundle.json").read_text())
    manifest["files"] = {name: describe_file(other.path / name) for name in FILES}
    (other.path / "bundle.json").write_text(json.dumps(manifest))
    message = (
        "sends 128 symbols of images of (8, 6, 3), the preview's codec 112 of (16, 16, 3): export that codec first"
    )
    fails(capsys, message, run, "-o", other.path)

    with np.load(without.golden_path) as golden:  # as of a codec that was trained with another seed
        arrays = {**golden, "symbols": (golden["symbols"] + 1) % 8}
    np.savez(without.golden_path, **arrays)
    manifest = without.manifest | {"files": {name: describe_file(without.path / name) for name in FILES}}
    (without.path / "bundle.json").write_text(json.dumps(manifest))
    before = contents(without.path)
    fails(
        capsys,
        "proof failed: symbols of the golden images, bundle against the preview's codec",
        run,
        "-o",
        without.path,
    )
    assert contents(without.path) == before


def test_export_replaces_a_preview_with_force_only(
    previewed: Path, added: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    (added.path / "tasks" / "mine").mkdir(parents=True)
    (added.path / "tasks" / "mine" / "task.json").write_text("{}")
    words = (previewed / "preview", "-o", added.path)
    fails(capsys, f"bundle {added.path} has a preview already; replace it with --force", *words)
    before = contents(added.path)
    assert train_support.main(*words, "--force", module="export") == 0
    assert contents(added.path).keys() == before.keys()
    assert contents(added.path)[PREVIEW_FILE] == before[PREVIEW_FILE]


def test_interrupted_export_leaves_a_bundle_that_loads(
    added: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = added.manifest | {"preview": {"date": "today", "held_out": {}}}
    replace = os.replace
    for allowed in range(4):
        calls: list[object] = []

        def limited(source: object, target: object, calls: list[object] = calls, allowed: int = allowed) -> None:
            calls.append(target)
            if len(calls) > allowed:
                raise KeyboardInterrupt
            replace(source, target)  # type: ignore[arg-type]

        bundle = load(shutil.copytree(added.path, tmp_path / str(allowed)))
        file = tmp_path / "preview.onnx"
        file.write_bytes(b"another network")
        monkeypatch.setattr(preview_export.os, "replace", limited)
        with pytest.raises(KeyboardInterrupt):
            preview_export.put(bundle, file, manifest)
        monkeypatch.undo()
        assert load(bundle.path).has_preview == (allowed in (0, 3))


def test_put_changes_nothing_if_no_model_card_can_be_made(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "general", embedding=6)
    (tmp_path / PREVIEW_FILE).write_bytes(b"preview")
    before = contents(bundle.path)
    for wrong in ({}, {"date": "today", "encoder_macs": None}, {"date": "today", "encoder_macs": 1, "cosine": 3}):
        with pytest.raises(ExportError, match=r"general: no model card can be made of bundle\.json \(\w+Error: .*\)$"):
            preview_export.put(bundle, tmp_path / PREVIEW_FILE, bundle.manifest | wrong)
    assert contents(bundle.path) == before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_golden_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes) -> None:
    bundle = make_bundle(tmp_path / "general", embedding=6)
    bundle.golden_path.write_bytes(content)
    with pytest.raises(ExportError, match=r"general: golden\.npz has no images and symbols \(\w+\)$"):
        preview_export._golden(bundle)
