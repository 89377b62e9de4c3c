"""The model card of a bundle, MODEL_CARD.md: what the manifest says, in a form that people read."""

from typing import Any

TERMS = {
    "cifar10": "CIFAR-10 (Krizhevsky 2009): no formal licence; cite the technical report.",
    "cifar100": "CIFAR-100 (Krizhevsky 2009): no formal licence; cite the technical report.",
    "tiny-imagenet-200": "Tiny-ImageNet: ImageNet's terms, for non-commercial research.",
}
KNOWS_CLASSES = "- The network knows its classes only: any other image gets one of them, often with confidence."
KNOWS_TASKS = "- What a host tells apart are the tasks that it is taught; `inkling teach` shows how well."
WARNING = "A preview is a reconstruction from a few bytes and may show what was not there."
LIMITS = """{known}
- Images were {size} pixels, framed as in the data set. A camera's images differ; measure with your own.
- Figures are of a simulated link with independent bit flips, and of an emulated board."""


def text(manifest: dict[str, Any]) -> str:
    """Return the card of a bundle with this manifest."""
    parts = [
        f"# {manifest['name']}\n\n{_summary(manifest)}",
        _cosine(manifest) if "embedding" in manifest else f"## Accuracy\n\n{_accuracy(manifest)}",
        *([f"## Preview\n\n{_preview(manifest['preview'])}"] if "preview" in manifest else []),
        f"## Recipe\n\n{_recipe(manifest)}",
        f"## Limits\n\n{_limits(manifest)}",
    ]
    return "\n\n".join(parts) + "\n"


def _summary(manifest: dict[str, Any]) -> str:
    heads = manifest["heads"]
    sizes = [] if not heads else [f"up to {manifest['payload_bytes']} bytes of features"]
    sizes += ["answers of the board"] if manifest["answer"] else []
    shapes = ", ".join("x".join(map(str, head)) for head in heads) or "none"
    return "\n".join(
        [
            _purpose(manifest),
            f"Sends {' or '.join(sizes)}.",
            "",
            f"- model {manifest['model_id']}, {manifest['date']}",
            f"- encoder: {manifest['encoder_macs']:,} multiply-accumulates, int8; latent heads: {shapes}",
            f"- {manifest['bits_per_symbol']} bits per symbol; chunks of "
            f"{', '.join(f'{count} symbols from {first}' for first, count in manifest['chunks']) or 'none'}",
        ]
    )


def _purpose(manifest: dict[str, Any]) -> str:
    images = "images of {} x {} x {}".format(*manifest["input_shape"])
    if "embedding" in manifest:
        size, network = manifest["embedding"]["size"], manifest["embedding"]["network"]
        return (
            f"Describes {images} for tasks that the host is taught: predicts the embedding of {network}, {size} values."
        )
    classes = manifest["classes"]
    shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    return f"Classifies {images} in {len(classes)} classes ({shown})."


def _cosine(manifest: dict[str, Any]) -> str:
    rows = [(f"BER {ber}, whole payload", value) for ber, value in manifest["cosine"].items()]
    rows += [(f"first {n} symbols, no bit errors", value) for n, value in manifest["cosine_by_symbols"].items()]
    return "\n".join(
        [
            "## Cosine",
            "",
            f"Mean cosine of the predicted embedding and the picture's own, on {manifest['test_images']:,} test "
            "images, which chose nothing; encoder as the board computes it, true bit flips, one draw (seed 0), the "
            "decoder given the true bit error rate:",
            "",
            "| | cosine |",
            "| --- | ---: |",
            *(f"| {name} | {value:.3f} |" for name, value in rows),
        ]
    )


def _accuracy(manifest: dict[str, Any]) -> str:
    lines = [
        f"On {manifest['test_images']:,} test images, which chose nothing; encoder as the board computes it, true bit "
        "flips, one draw (seed 0), the decoder given the true bit error rate:",
        "",
        "| | accuracy |",
        "| --- | ---: |",
    ]
    rows = [(f"BER {ber}, whole payload", share) for ber, share in manifest["accuracy"].items()]
    for count, share in manifest.get("accuracy_by_symbols", {}).items():
        rows.append((f"first {count} symbols, no bit errors", share))
    if "accuracy_board" in manifest:
        rows.append(("the board's answer", manifest["accuracy_board"]))
    lines += [f"| {name} | {100 * share:.2f} % |" for name, share in rows]
    if manifest["answer"]:
        lines += [
            "",
            f"Expected calibration error of the board's confidence, on held-out training images: "
            f"{100 * manifest['board_calibration_error']:.2f} %. Threshold of mode adaptive: {manifest['threshold']}.",
        ]
    return "\n".join(lines)


def _preview(preview: dict[str, Any]) -> str:
    rows = [
        (f"first {name.removeprefix('prefix ')} symbols, no bit errors" if "prefix" in name else f"BER {name}", value)
        for name, value in preview["held_out"].items()
    ]
    return "\n".join(
        [
            f"{WARNING} Mean structural similarity of previews and images, on held-out training images, computed in "
            "PyTorch through true bit flips, the network given the true bit error rate:",
            "",
            "| | SSIM |",
            "| --- | ---: |",
            *(f"| {name} | {value:.3f} |" for name, value in rows),
        ]
    )


def _limits(manifest: dict[str, Any]) -> str:
    height, width, _ = manifest["input_shape"]
    known = KNOWS_TASKS if "embedding" in manifest else KNOWS_CLASSES
    return LIMITS.format(known=known, size=f"{height} x {width}")


def _recipe(manifest: dict[str, Any]) -> str:
    recipe = manifest["recipe"]
    sets = manifest["dataset"].split(" + ")
    terms = " ".join(TERMS.get(name, f"{name}: its terms are those of your images.") for name in sets)
    lines = [
        f"- data: {manifest['dataset']}. {terms}",
        f"- seed {manifest['seed']}; {_settings(recipe['schedule'])}",
    ]
    if recipe.get("embedding", {}).get("network") == "efficientnet_lite0":
        lines.append(
            "- EfficientNet-Lite0 (weights of ImageNet, Apache-2.0) gave the embeddings; none of it is in here"
        )
    if recipe.get("balance"):
        lines.append(f"- balance: {_settings(recipe['balance'])}")
    if recipe.get("teacher"):
        lines.append(f"- teacher: {recipe['teacher']['checkpoint']}")
    lines.append("- all settings: `recipe` in bundle.json")
    return "\n".join(lines)


def _settings(table: dict[str, Any]) -> str:
    """Return the settings of a table of the recipe in one line."""
    return ", ".join(f"{name} {value}" for name, value in table.items())
