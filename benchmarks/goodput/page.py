"""The section of docs/RESULTS.md on goodput: findings, rules and tables, all from goodput.json."""

from collections.abc import Callable

from benchmarks.goodput.findings import (
    HIGH,
    LOW,
    SPREADING,
    best,
    compared_snrs,
    decibels,
    findings,
    gain,
    is_inkling,
    is_opponent,
    reaches,
)

RULES = """- Over LoRa all use the same radio: 125 kHz, 8 preamble symbols, explicit header and coding rate 4/5 unless
  named. The channel is `channel_sim/channels/lora.py`: white noise, the packet found, timing and frequency perfect.
  A real radio may miss packets below what its data sheet promises (SX1276: -7.5 dB at SF7, 2.5 dB lower a step), and
  that takes most from those who can use damaged ones: their margin here is an upper bound.
- *Inkling*: header 8, payload, CRC-16 2: {inkling} and {inkling_prefix} bytes. The radio's CRC is on and drops nothing.
  A picture is lost when the radio's header is damaged or Inkling's is unreadable. `host.receive` receives, and the
  decoder is told the bit error rate that the receiver estimates (the radio's SNR reading, off by 1 dB, helps it).
- *Implicit header*: the radio sends no header of its own, which costs air time and by which a damaged packet may be
  lost; both ends know the length, so that it serves frames of one length only.
- *CRC*: the same features behind a plain header of 3 bytes and the radio's CRC: {crc} and {crc_prefix} bytes, dropped
  unless the CRC is right. What passes is classified as over a clean link.
- *Retransmissions*: each try is a new draw and costs its air time. Acknowledgements are free, instant and perfect, in
  their favour.
- *Reed-Solomon*: the same header, the prefix and a CRC-16 (the radio's is off), filled with parity to the longest
  frame that is on the air no longer than Inkling's of {inkling} bytes (long) or of {inkling_prefix} bytes (short).
  Bytes of a frame, and how many wrong ones are put right: {rs}.
- *JPEG, WebP*: by Pillow, each picture's file in packets of up to 255 bytes, each with the 3-byte header and the
  radio's CRC; all must be clean. *Bare* leaves out what is the same in every file (for JPEG with the standard
  Huffman tables), as a private format would. {classifiers}
- *Serial radio*: 9600 bit/s, 10 bits a byte, each bit flipped alone. Inkling's sync (4 bytes) must be found; the
  opponents' sync (4 bytes) always is, and their CRC-16 is 2 bytes more.
- *Correct an hour*: 36 s of air time, which a 1 % duty cycle leaves of an hour, over the mean air time of a picture,
  retransmissions included, times the accuracy of all sent.
"""
GRIDS: tuple[tuple[str, Callable[[dict], str]], ...] = (
    ("accuracy of all sent, %", lambda row: f"{100 * row['accuracy_sent']:.1f}"),
    ("correct an hour", lambda row: f"{row['correct_an_hour']:.0f}"),
)


def section(goodput: dict) -> str:
    """The whole section, in Markdown."""
    media = goodput["media"]
    return "\n".join(
        [
            "## Goodput over a bad link\n",
            f"Bundle `{goodput['bundle']}`, model {goodput['model_id']}; {goodput['images']:,} test images in each "
            f"cell, one draw, seed {goodput['seed']}; {goodput['date']}, `{goodput['command']}`.\n",
            "![accuracy of all sent against SNR](lora.png)\n",
            "![correct classifications an hour against SNR](goodput.png)\n",
            "### What it says\n",
            *findings(goodput),
            _best_spreading(goodput),
            "### How it is counted\n",
            _rules(goodput),
            "### Inkling beside a CRC\n",
            *[_beside_crc(media[name]) for name in ("sf7", "sf9")],
            "### Every system\n",
            _sensitivity(media),
            *[_grid(media[name], *grid) for name in ("sf7", "sf9") for grid in GRIDS],
            "### Over a serial radio\n",
            "![accuracy of all sent and correct an hour against bit error rate](bsc.png)\n",
            *[_grid(media["bsc"], *grid) for grid in GRIDS],
        ]
    )


def _best_spreading(goodput: dict) -> str:
    lines = [
        "| SNR | Inkling at its best | correct an hour | best of all others | correct an hour | Inkling against it |",
        "| ---: | --- | ---: | --- | ---: | ---: |",
    ]
    for snr in compared_snrs(goodput):
        (ours, mine), (theirs, title) = best(goodput, snr, is_inkling), best(goodput, snr, is_opponent)
        against = f"{100 * gain(goodput, snr):+.0f} %" if theirs >= 1 else "-"
        lines.append(f"| {snr} dB | {mine} | {ours:.0f} | {title} | {theirs:.0f} | {against} |")
    return "\n".join(lines) + "\n"


def _rules(goodput: dict) -> str:
    first = {
        name: {key: next(iter(system["rows"].values())) for key, system in medium["systems"].items()}
        for name, medium in goodput["media"].items()
    }
    frames = {key: first["sf7"][key]["frame_bytes"] for key in ("inkling", "inkling_prefix", "crc", "crc_prefix")}
    rs = "; ".join(
        f"{goodput['media'][name]['title']} {long['frame_bytes']} and {long['corrects']}, short "
        f"{short['frame_bytes']} and {short['corrects']}"
        for name, rows in first.items()
        for long, short in [(rows["rs"], rows["rs_short"])]
    )
    return RULES.format(**frames, rs=rs, classifiers=_classifiers(list(goodput["compressed"].values())))


def _classifiers(reports: list[dict]) -> str:
    if not reports:
        return ""
    how = reports[0]
    figures = "; ".join(
        f"{r['title']} {100 * r['accuracy']:.2f} % (held out {100 * r['held_out_accuracy']:.2f} %; {r['epochs']} "
        f"epochs, seed {r['seed']}, {r['date']}, `{r['command']}`)"
        for r in reports
    )
    return (
        f"The classifier is a {how['classifier']} trained on clean pictures and fine-tuned for each format on training "
        f"images compressed in the same way; the epoch is chosen on {how['held_out']:,} images held out of these. Test "
        f"images right over a clean link: {figures}."
    )


def _beside_crc(medium: dict) -> str:
    ours, crc, again = (medium["systems"][key]["rows"] for key in ("inkling", "crc", "again"))
    lines = [
        f"{medium['title']}, whole payload:\n",
        "| SNR | Inkling: accuracy | of all sent | lost | BER estimated | CRC: of all sent | lost "
        "| retransmissions: of all sent | lost | frames a picture |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for value, row in ours.items():
        lines.append(
            f"| {value} dB | {100 * row['accuracy']:.2f} % | {100 * row['accuracy_sent']:.2f} % | {row['lost']} "
            f"| {row['ber_estimated']:.4f} | {100 * crc[value]['accuracy_sent']:.2f} % | {crc[value]['lost']} "
            f"| {100 * again[value]['accuracy_sent']:.2f} % | {again[value]['lost']} "
            f"| {again[value]['frames_sent']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _sensitivity(media: dict[str, dict]) -> str:
    heads = " | ".join(f"{name.upper()}: air time | {100 * HIGH:.0f} % | {100 * LOW:.0f} %" for name in SPREADING)
    lines = [
        f"Air time of a picture over a clean link, and the SNR from which on {100 * HIGH:.0f} % and {100 * LOW:.0f} % "
        "of all sent are right, interpolated:\n",
        f"| system | {heads} |",
        "| --- |" + " ---: | ---: | ---: |" * len(SPREADING),
    ]
    for key, system in media["sf7"]["systems"].items():
        cells = []
        for name in SPREADING:
            rows = media[name]["systems"][key]["rows"]
            air_s = list(rows.values())[-1]["air_time_s"]
            cells += [f"{1000 * air_s:.0f} ms", decibels(reaches(rows, HIGH)), decibels(reaches(rows, LOW))]
        lines.append(f"| {system['title']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _grid(medium: dict, what: str, shown: Callable[[dict], str]) -> str:
    """A system a line, a state a column; half dBs are left to the pictures."""
    states = list(medium["systems"]["inkling"]["rows"])
    if medium["state"].startswith("SNR"):
        states = [state for state in states if float(state).is_integer()]
    lines = [
        f"{medium['title']}, {what}, by {medium['state']}:\n",
        f"| system | {' | '.join(states)} |",
        "| --- |" + " ---: |" * len(states),
    ]
    for system in medium["systems"].values():
        lines.append(f"| {system['title']} | {' | '.join(shown(system['rows'][state]) for state in states)} |")
    return "\n".join(lines) + "\n"
