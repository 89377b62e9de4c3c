"""The section of docs/RESULTS.md on goodput: findings, method and tables, all from goodput.json."""

from collections.abc import Callable

from benchmarks.goodput.findings import (
    HIGH,
    IMAGES_PER_HOUR,
    LOW,
    SPREADING,
    best,
    compared_snrs,
    decibels,
    findings,
    gain,
    is_inkling,
    is_opponent,
    is_secured,
    lowest_snr,
    most_accurate,
)

METHOD = """- Over LoRa all use the same radio: 125 kHz, 8 preamble symbols, explicit header and coding rate 4/5 unless
  named. The channel is `channel_sim/channels/lora.py`: white noise, every packet detected, perfect timing and
  frequency. A real radio may miss packets below the sensitivity in its data sheet (SX1276: -7.5 dB at SF7, 2.5 dB lower
  per spreading factor). That costs most where damaged packets are used, so Inkling's margin here is an upper bound.
- *Inkling*: header 8 bytes, payload, CRC-16 2 bytes: {inkling:.0f} and {inkling_prefix:.0f} bytes. The radio's CRC is
  on and drops nothing. The device is known: the receiver has heard 20 clean frames of it. An image is lost if the
  radio's header is damaged or Inkling's header is unreadable. The frames pass `host.receive` and `host.classify`, as in
  `inkling receive`: the decoder gets the BER that the receiver estimates, aided by the radio's SNR reading (off by
  1 dB).
{answers}- *Implicit header*: the radio sends no header of its own. That saves air time, and no packet is lost by a
  damaged header. Both ends have to know the length, so all frames have one length.
- *CRC*: the same features behind a plain header of 3 bytes and the radio's CRC: {crc} and {crc_prefix} bytes, dropped
  unless the CRC is correct. What passes is classified as over a clean link.
- *Retransmissions*: each try is a new draw and costs its air time. Acknowledgements are free, instant and perfect, in
  the opponent's favour.
- *Reed-Solomon*: the same header, the prefix and a CRC-16 (the radio's is off), filled with parity to the longest
  frame with no more air time than Inkling's of {inkling:.0f} bytes (long) or of {inkling_prefix:.0f} bytes (short).
  Bytes per frame, and correctable bytes: {rs}.
- *JPEG, WebP*: by Pillow, each image's file in packets of up to 255 bytes, each with the 3-byte header and the
  radio's CRC; all must be intact. *Bare* leaves out what is the same in every file (for JPEG with the standard
  Huffman tables), as a private format would. {classifiers}
- *Serial radio*: 9600 bit/s, 10 bits per byte, independent bit flips. Inkling's sync (4 bytes) has to be found; the
  opponents' sync (4 bytes) always is, and their CRC-16 is 2 bytes more.
- *Correct per hour*: 36 s of air time, which a 1 % duty cycle leaves of an hour, divided by the mean air time per
  image, retransmissions included, times the accuracy of all sent.
"""
ANSWERS = """- *Inkling, answers only, adaptive*: the board's answer in an answer frame of 8 bytes, for every image, or
  where its confidence level is at least the bundle's threshold; else features.
- *Board alone*: the class of the same board's answer as one byte behind the plain header and the radio's CRC.
"""
SECURED = """- *Secured*: the device has a key, and its frames are encrypted and authentic
  ([SPEC.md](SPEC.md#secured-frames)). A frame is lost, too, if its header tag has too many flips to be authentic
  (*refused*). Secured frames are measured at whole dBs. *Tag of 4 bytes*: the opponents' frames carry a tag as
  LoRaWAN's do, behind the radio's CRC. Secured schemes are compared with each other only, as they do more.
"""
NO_BOARD = """The opponents send the same features, or images. A board that classifies alone and sends one byte is not
among them, because this bundle gives no answers. Its packets are much shorter: a lead below is not a lead over such a
board, for which see *Answer frames* and *On the device*.
"""
# Secured schemes, each after the plain one that it is compared with.
PAIRS = {
    "secured": "inkling",
    "secured_answer": "inkling_answer",
    "crc_mic": "crc",
    "crc_48_mic": "crc_48",
    "board_mic": "board",
    "board_48_mic": "board_48",
}
GRIDS: tuple[tuple[str, Callable[[dict], str]], ...] = (
    ("accuracy of all sent, %", lambda row: f"{100 * row['accuracy_sent']:.1f}"),
    ("correct per hour", lambda row: f"{row['correct_per_hour']:.0f}"),
)


def section(goodput: dict) -> str:
    """Return the whole section in Markdown."""
    links = goodput["links"]
    return "\n".join(
        [
            "## Goodput over a bad link\n",
            f"Bundle `{goodput['bundle']}`, model {goodput['model_id']}; {goodput['images']:,} test images per "
            f"scheme, link and state; one draw, seed {goodput['seed']}; {goodput['date']}, `{goodput['command']}`.\n",
            "![accuracy of all sent against SNR](lora.png)\n",
            "![correct classifications per hour against SNR](goodput.png)\n",
            "The plots show schemes with explicit headers only.\n",
            *([] if _has_board(goodput) else [NO_BOARD]),
            "### Findings\n",
            *findings(goodput),
            _best_spreading(goodput),
            _regular(goodput),
            "### Method\n",
            _method(goodput),
            "### Inkling compared with a CRC\n",
            *[_compared_with_crc(links[name]) for name in ("sf7", "sf9")],
            *_secured(goodput),
            "### All schemes\n",
            _sensitivity(links),
            *[_grid(links[name], *grid) for name in ("sf7", "sf9") for grid in GRIDS],
            "### Over a serial radio\n",
            "![accuracy of all sent and correct per hour against bit error rate](bsc.png)\n",
            *[_grid(links["bsc"], *grid) for grid in GRIDS],
        ]
    )


def _has_board(goodput: dict) -> bool:
    return "board" in goodput["links"]["sf7"]["schemes"]


def _best_spreading(goodput: dict) -> str:
    lines = [
        "| SNR | best setting of Inkling | correct per hour | best of all opponents | correct per hour | difference |",
        "| ---: | --- | ---: | --- | ---: | ---: |",
    ]
    for snr in compared_snrs(goodput):
        (inkling, setting), (opponent, title) = best(goodput, snr, is_inkling), best(goodput, snr, is_opponent)
        difference = f"{100 * gain(goodput, snr):+.0f} %" if opponent >= 1 else "-"
        lines.append(f"| {snr} dB | {setting} | {inkling:.0f} | {title} | {opponent:.0f} | {difference} |")
    return "\n".join(lines) + "\n"


def _regular(goodput: dict) -> str:
    """Return the table of the best accuracy at a fixed number of images per hour."""
    limit_s = 3600 * goodput["duty_cycle"] / IMAGES_PER_HOUR
    lines = [
        f"Accuracy of all sent at {IMAGES_PER_HOUR} images per hour, each scheme at its best setting with at most "
        f"{limit_s:g} s of air time per image:\n",
        "| SNR | best setting of Inkling | accuracy | best of all opponents | accuracy | difference |",
        "| ---: | --- | ---: | --- | ---: | ---: |",
    ]
    for snr in compared_snrs(goodput):
        (inkling, setting), (opponent, title) = (
            most_accurate(goodput, snr, limit_s, wanted) for wanted in (is_inkling, is_opponent)
        )
        lines.append(
            f"| {snr} dB | {setting} | {100 * inkling:.1f} % | {title} | {100 * opponent:.1f} % "
            f"| {100 * (inkling - opponent):+.1f} points |"
        )
    return "\n".join(lines) + "\n"


def _method(goodput: dict) -> str:
    first = {
        name: {key: next(iter(scheme["rows"].values())) for key, scheme in link["schemes"].items()}
        for name, link in goodput["links"].items()
    }
    frames = {key: first["sf7"][key]["frame_bytes"] for key in ("inkling", "inkling_prefix", "crc", "crc_prefix")}
    rs = "; ".join(
        f"{goodput['links'][name]['title']} {long['frame_bytes']} and {long['correctable_bytes']}, short "
        f"{short['frame_bytes']} and {short['correctable_bytes']}"
        for name, rows in first.items()
        for long, short in [(rows["rs"], rows["rs_short"])]
    )
    answers = (ANSWERS if _has_board(goodput) else "") + (SECURED if _has_secured(goodput) else "")
    return METHOD.format(
        **frames, answers=answers, rs=rs, classifiers=_classifiers(list(goodput["compressed"].values()))
    )


def _classifiers(reports: list[dict]) -> str:
    if not reports:
        return ""
    first = reports[0]
    figures = "; ".join(
        f"{r['title']} {100 * r['accuracy']:.2f} % (held out {100 * r['held_out_accuracy']:.2f} %; {r['epochs']} "
        f"epochs, seed {r['seed']}, {r['date']}, `{r['command']}`)"
        for r in reports
    )
    return (
        f"The classifier is a {first['classifier']} trained on clean images and fine-tuned for each format on training "
        f"images compressed in the same way; the epoch is chosen on {first['held_out']:,} of them that are held out. "
        f"Accuracy on test images over a clean link: {figures}."
    )


def _compared_with_crc(link: dict) -> str:
    inkling, crc, again = (link["schemes"][key]["rows"] for key in ("inkling", "crc", "again"))
    lines = [
        f"{link['title']}, whole payload, explicit headers, known device:\n",
        "| SNR | Inkling: accuracy | of all sent | lost | BER estimated | CRC: of all sent | lost "
        "| retransmissions: of all sent | lost | frames per image |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for value, row in inkling.items():
        lines.append(
            f"| {value} dB | {100 * row['accuracy']:.2f} % | {100 * row['accuracy_sent']:.2f} % | {row['lost']} "
            f"| {row['ber_estimated']:.4f} | {100 * crc[value]['accuracy_sent']:.2f} % | {crc[value]['lost']} "
            f"| {100 * again[value]['accuracy_sent']:.2f} % | {again[value]['lost']} "
            f"| {again[value]['frames_sent']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _has_secured(goodput: dict) -> bool:
    """Return True if the figures have secured schemes."""
    return any(map(is_secured, goodput["links"]["sf7"]["schemes"]))


def _secured(goodput: dict) -> list[str]:
    """Return the paragraphs in Markdown; none without secured schemes."""
    if not _has_secured(goodput):
        return []
    return ["### Secured frames\n", _costs(goodput["links"]), _refusals(goodput["links"])]


def _costs(links: dict[str, dict]) -> str:
    """Return the table of bytes, air time, sensitivity and goodput, each secured scheme below its plain one."""
    shown = [("sf7", "SF7"), ("sf9", "SF9")]
    heads = " | ".join(f"{title}: air time | {100 * HIGH:.0f} % | correct per hour" for _, title in shown)
    lines = [
        f"Bytes and air time per image, the lowest SNR with {100 * HIGH:.0f} % accuracy of all sent, and correct per "
        "hour over a clean link, with explicit headers:\n",
        f"| scheme | bytes | {heads} |",
        "| --- | ---: |" + " ---: | ---: | ---: |" * len(shown),
    ]
    schemes = links["sf7"]["schemes"]
    for secured, plain in PAIRS.items():
        for key in (plain, secured) if secured in schemes else ():
            columns = []
            for name, _ in shown:
                rows = links[name]["schemes"][key]["rows"]
                clean = list(rows.values())[-1]
                snr = decibels(lowest_snr(rows, HIGH))
                columns += [f"{1000 * clean['air_time_s']:.0f} ms", snr, f"{clean['correct_per_hour']:.0f}"]
            size = next(iter(schemes[key]["rows"].values()))["frame_bytes"]
            lines.append(f"| {schemes[key]['title']} | {size:.0f} | {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def _refusals(links: dict[str, dict]) -> str:
    """Return the table of the images that secured and plain frames lose."""
    lines = [
        "Images lost, of which frames of devices with keys were refused:\n",
        "| scheme | link | state | plain: lost | secured: lost | refused | accuracy of all sent, plain | secured |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in ("sf7", "bsc"):
        schemes, link = links[name]["schemes"], links[name]
        unit = " dB" if link["state"].startswith("SNR") else ""
        for secured in (key for key in schemes if key.startswith("secured")):
            plain = schemes[PAIRS[secured]]["rows"]
            for state, row in schemes[secured]["rows"].items():
                before = plain[state]
                lines.append(
                    f"| {schemes[secured]['title']} | {link['title']} | {state}{unit} | {before['lost']} "
                    f"| {row['lost']} | {row['refused']} | {100 * before['accuracy_sent']:.1f} % "
                    f"| {100 * row['accuracy_sent']:.1f} % |"
                )
    return "\n".join(lines) + "\n"


def _sensitivity(links: dict[str, dict]) -> str:
    heads = " | ".join(f"{name.upper()}: air time | {100 * HIGH:.0f} % | {100 * LOW:.0f} %" for name in SPREADING)
    lines = [
        f"Air time per image over a clean link, and the lowest SNR with {100 * HIGH:.0f} % and {100 * LOW:.0f} % "
        "accuracy of all sent, interpolated:\n",
        f"| scheme | {heads} |",
        "| --- |" + " ---: | ---: | ---: |" * len(SPREADING),
    ]
    for key, scheme in links["sf7"]["schemes"].items():
        columns = []
        for name in SPREADING:
            rows = links[name]["schemes"][key]["rows"]
            air_s = list(rows.values())[-1]["air_time_s"]
            columns += [f"{1000 * air_s:.0f} ms", decibels(lowest_snr(rows, HIGH)), decibels(lowest_snr(rows, LOW))]
        lines.append(f"| {scheme['title']} | {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def _grid(link: dict, figure: str, shown: Callable[[dict], str]) -> str:
    """Return a table with one line per scheme and one column per state; half dBs are only in the plots."""
    states = list(link["schemes"]["inkling"]["rows"])
    if link["state"].startswith("SNR"):
        states = [state for state in states if float(state).is_integer()]
    lines = [
        f"{link['title']}, {figure}, by {link['state']}:\n",
        f"| scheme | {' | '.join(states)} |",
        "| --- |" + " ---: |" * len(states),
    ]
    for scheme in link["schemes"].values():
        lines.append(f"| {scheme['title']} | {' | '.join(shown(scheme['rows'][state]) for state in states)} |")
    return "\n".join(lines) + "\n"
