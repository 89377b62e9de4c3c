"""The model card of a bundle, MODEL_CARD.md: what the manifest says, in a form that people read."""

from typing import Any

TERMS = {
    "cifar10": "CIFAR-10 (Krizhevsky 2009): no formal licence; cite the technical report.",
    "cifar100": "CIFAR-100 (Krizhevsky 2009): no formal licence; cite the technical report.",
    "tiny-imagenet-200": "Tiny-ImageNet: ImageNet's terms, for non-commercial research.",
}
LIMITS = """- The network knows its classes only: any other image gets one of them, often with confidence.
- Images were {size} pixels, framed as in the data set. A camera's images differ; measure with your own.
- Accuracies are of a simulated link with independent bit flips, and of an emulated board."""


def text(manifest: dict[str, Any]) -> str:
    """Return the card of a bundle with this manifest."""
    parts = [
        f"# {manifest['name']}\n\n{_summary(manifest)}",
        f"## Accuracy\n\n{_accuracy(manifest)}",
        f"## Recipe\n\n{_recipe(manifest)}",
        f"## Limits\n\n{LIMITS.format(size='{} x {}'.format(*manifest['input_shape'][:2]))}",
    ]
    return "\n\n".join(parts) + "\n"


def _summary(manifest: dict[str, Any]) -> str:
    classes, heads = manifest["classes"], manifest["heads"]
    shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    sizes = [] if not heads else [f"up to {manifest['payload_bytes']} bytes of features"]
    sizes += ["answers of the board"] if manifest["answer"] else []
    shapes = ", ".join("x".join(map(str, head)) for head in heads) or "none"
    height, width, channels = manifest["input_shape"]
    return "\n".join(
        [
            f"Classifies images of {height} x {width} x {channels} in {len(classes)} classes ({shown}).",
            f"Sends {' or '.join(sizes)}.",
            "",
            f"- model {manifest['model_id']}, {manifest['date']}",
            f"- encoder: {manifest['encoder_macs']:,} multiply-accumulates, int8; latent heads: {shapes}",
            f"- {manifest['bits_per_symbol']} bits per symbol; chunks of "
            f"{', '.join(f'{count} symbols from {first}' for first, count in manifest['chunks']) or 'none'}",
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


def _recipe(manifest: dict[str, Any]) -> str:
    recipe = manifest["recipe"]
    data = manifest["dataset"]
    lines = [
        f"- data: {data}. {TERMS.get(data, 'Its terms are those of your images.')}",
        f"- seed {manifest['seed']}; {_settings(recipe['schedule'])}",
    ]
    if recipe.get("balance"):
        lines.append(f"- balance: {_settings(recipe['balance'])}")
    if recipe.get("teacher"):
        lines.append(f"- teacher: {recipe['teacher']['checkpoint']}")
    lines.append("- all settings: `recipe` in bundle.json")
    return "\n".join(lines)


def _settings(table: dict[str, Any]) -> str:
    """Return the settings of a table of the recipe in one line."""
    return ", ".join(f"{name} {value}" for name, value in table.items())
