"""The section of docs/RESULTS.md on the adaptive mode, from adaptive.json."""

from benchmarks.adaptive.findings import PAIRS, by_opponent, by_snr, findings
from benchmarks.adaptive.plots import names
from benchmarks.adaptive.reduce import AIR_S, CHIPS, COMPRESSED, COSTLY, INKLING, OPPONENTS, SOFT
from benchmarks.device.curve import SAME_COST
from benchmarks.goodput.findings import IMAGES_PER_HOUR
from benchmarks.images import title
from benchmarks.markdown import table
from host.receive.matching import FALSE_ANSWER_PER_PACKET

METHOD = """- *Accuracy of all sent*: lost images count as wrong. *Mean* costs are means over the mix of answers and
  features. Between two settings, a scheme may send a share of the images one way and the rest the other.
- *LoRa*: 125 kHz, 8 preamble symbols, SF7 to SF12; the channel is `channel_sim/channels/lora.py`. Everybody is at the
  best spreading factor, coding rate, header mode and size for each air time.
- *Inkling*: answer frames of 8 bytes (at {rates}), feature frames of each prefix (at the lowest of these), or both by a
  threshold of the board's confidence. The device is known. Frames pass the real receiver and classifier with the
  estimated BER; {draws} draws of the channel. The radio's CRC is on and drops nothing. Settings are chosen on
  {held_out:,} held-out training images. Mode adaptive is composed of a stream of answers and one of features; sent in
  one mixed stream instead, at threshold {mixed_threshold}, it has {mixed}.
- *Opponents* choose their settings on the test images, in their favour. Their accuracies are expected values: shares of
  {lora_packets:,} simulated packets that arrive, times the accuracy of what is inside. All have a plain header of 3
  bytes and a CRC-16, without which nothing is accepted.
- *Board alone*: one byte, with LoRa's implicit header (4/5 to 4/8), sent once, twice or three times, or until
  acknowledged (at most 4 tries; acknowledgements cost air time and listening, but are never lost), or in Reed-Solomon
  codes that correct 1 to 4 bytes.
- *Features over conventional links*: the payload of each prefix behind a CRC (4/5 to 4/8, both header modes), until
  acknowledged, or in Reed-Solomon codes that correct 2 to 48 bytes.
- *K=9 code*: the same bits behind a convolutional code of constraint length 9 and rate 1/2 (generators 561 and 753)
  on LoRa's chirps in place of LoRa's whole coding chain, with soft and with hard decisions
  (`channel_sim/channels/coded_css.py`; {coded_packets:,} packets each), sent once or until acknowledged. No LoRa chip
  offers this: it is what a radio with the same modulation, power and band could do, knows the SNR, and needs no header.
- *Inkling with soft bits* is Inkling on that radio: raw bits on the chirps, answers decided for the most likely one
  with soft decisions, features as hard bits through the real receiver. An answer is accepted if noise passes for one as
  rarely as at the real receiver: once in {foreign:,.0f} packets. It shows what Inkling's frames, rather than LoRa's
  Hamming codes, lose or gain against the convolutional code.
- *Adaptive behind a CRC*: Inkling's adaptive mode over LoRa's own CRC. It is not counted among the opponents; it shows
  what Inkling's frames add to the mode.
- *Energy* is modelled: {chip} at {chip_ma:g} mA and {chip_mhz:g} MHz ({chip_source}), one instruction per cycle;
  {radio} at {send_ma:g} mA and {dbm:g} dBm while sending and {receive_ma:g} mA while listening ({radio_source}). Sleep,
  wake-up and the camera are left out.
- *Chance*: two standard errors of the difference over the test images, which are the same for all. Those of the
  simulated shares of packets are included. Each comparison is judged alone, so a few of many differ by chance.
{optional}"""

# For groups that are not in every comparison.
OPTIONAL = {
    COSTLY: f"""\
- *Costlier board alone*: a network with more than {SAME_COST:g} times the instructions per image of Inkling's, shown
  beside the opponents but not counted among them.
""",
    COMPRESSED: """\
- *Compressed images*: bare JPEG and WebP as under goodput, with their own classifiers. The energy of compressing them
  is left out.
""",
}


def section(figures: dict) -> str:
    """Return the section in Markdown."""
    air, cost, sweep = names(figures)
    return "\n".join(
        part
        for part in [
            f"## Adaptive mode, {figures['bundle']}\n",
            f"Model {figures['model_id']}; {figures['images']:,} {title(figures['dataset'])} test images; seed "
            f"{figures['seed']}; {figures['date']}, `{figures['command']}`.\n",
            f"![accuracy of all sent against mean air time]({air})\n",
            "### Findings\n",
            *findings(figures),
            *[
                table(
                    f"{own} against {opponent}, at equal mean air time:\n",
                    ["", "ahead", "level", "behind", "least lead", "largest lead"],
                    list(by_snr(figures, own, opponent)),
                )
                for own, opponent in PAIRS
            ],
            table(
                "Inkling on LoRa chips against each opponent, at equal mean air time and over all SNRs:\n",
                ["opponent", "ahead", "level", "behind", "least lead"],
                list(by_opponent(figures)),
            ),
            "### Thresholds over a clean link\n",
            f"![accuracy against the share of answers]({sweep})\n",
            _thresholds(figures),
            "### An hour of a 1 % duty cycle\n",
            _hours(figures),
            "### Bytes and energy\n",
            f"![accuracy of all sent against bytes and energy]({cost})\n",
            _boards(figures),
            "### Inkling's best settings by air time\n",
            _settings(figures),
            "### Method\n",
            _method(figures),
        ]
        if part
    )


def _thresholds(figures: dict) -> str:
    rows = []
    for size, row in figures["thresholds"].items():
        default, free = row["default"], row["without_loss"]
        rows.append(
            [
                f"{size} bytes",
                _percent(row["board"]),
                _percent(row["host"]),
                str(default["threshold"]),
                _percent(default["answered"]),
                _percent(default["accuracy"]),
                str(free["threshold"]),
                _percent(free["answered"]),
                _percent(free["accuracy"]),
            ]
        )
    return table(
        "*Default* is the bundle's threshold. *Without loss* is the lowest one that stays within 0.3 points of the "
        "host's accuracy on held-out images.\n",
        [
            "if not answered", "board", "host", "default", "answered", "accuracy", "without loss", "answered",
            "accuracy",
        ],
        rows,
    )  # fmt: skip


def _hours(figures: dict) -> str:
    groups = list(dict.fromkeys(name for row in figures["by_snr"].values() for name in row["hour"]))
    first = (INKLING, CHIPS, SOFT, OPPONENTS)
    groups = [*(name for name in first if name in groups), *(name for name in groups if name not in first)]
    accuracy, correct = [], []
    for snr, row in figures["by_snr"].items():
        hours = [row["hour"].get(name) for name in groups]
        accuracy.append([snr, *(_percent(hour["accuracy_at_60"][0]) if hour else "-" for hour in hours)])
        correct.append([snr, *(f"{hour['correct'][0]:.0f}" if hour else "-" for hour in hours)])
    return "\n".join(
        [
            table(
                f"Accuracy of all sent at {IMAGES_PER_HOUR} images per hour, which may take {AIR_S:g} s each:\n",
                ["SNR, dB", *groups],
                accuracy,
            ),
            table("Correct answers per hour, if there is always another image:\n", ["SNR, dB", *groups], correct),
        ]
    )


def _boards(figures: dict) -> str:
    rows = [
        [name.partition("(")[2].strip(")"), _percent(board["accuracy"]), f"{board['instructions']:,}"]
        for name, board in figures["boards"].items()
    ]
    return table("The boards:\n", ["network", "accuracy of the board alone", "instructions per image"], rows)


def _settings(figures: dict) -> str:
    rows = [
        [
            "clean" if snr == "clean" else f"{snr} dB",
            f"{1e3 * air_s:.0f}",
            f"{_percent(accuracy)} ± {100 * std:.2f}",
            setting,
        ]
        for snr, row in figures["by_snr"].items()
        for air_s, accuracy, std, setting in row["frontiers"]["air_s"].get(INKLING, [])
    ]
    head = ["SNR", "mean air time, ms", "accuracy of all sent, % ± std over draws", "setting"]
    return table("", head, rows)


def _method(figures: dict) -> str:
    mixed = "; ".join(
        f"{100 * row['mixed']:.2f} % instead of {100 * row['composed']:.2f} % at {cell.replace('_', ', ').upper()} dB"
        for cell, row in figures["mixed_streams"].items()
    )
    rates = " and ".join(f"4/{rate}" for rate in figures["coding_rates"])
    present = {name for row in figures["by_snr"].values() for name in row["frontiers"]["air_s"]}
    parts = {
        "rates": rates,
        "mixed": mixed,
        "foreign": 1 / FALSE_ANSWER_PER_PACKET,
        "optional": "".join(text for name, text in OPTIONAL.items() if name in present),
    }
    return METHOD.format(**figures["energy"], **{**figures, **parts})


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
