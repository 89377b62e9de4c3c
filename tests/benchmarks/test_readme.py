"""The figures in README.md are the committed ones in benchmarks/results."""

import re
import tomllib
from statistics import mean, median
from typing import Any

import pytest

from benchmarks.accuracy.experiments import stored
from benchmarks.adaptive.findings import leads
from benchmarks.adaptive.reduce import BOARD, CHIPS, INKLING
from benchmarks.command import read_json
from benchmarks.device.baseline import load as load_baseline
from benchmarks.goodput.findings import HIGH, compared_snrs, gain, lowest_snr
from tests.support import ROOT
from wire.answer import Answer
from wire.bundle import load
from wire.frame import AnswerHeader
from wire.lora import air_time_s

RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = " ".join(README.split())


def figures(name: str) -> dict[str, Any]:
    return read_json(RESULTS / f"{name}.json")


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the table whose first row contains `heading`, without the cells of the first column."""
    lines = README[README.index(heading) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines]


def epochs(config: str) -> int:
    """Return the number of epochs that a config in configs/ trains."""
    run = tomllib.loads((ROOT / "configs" / f"{config}.toml").read_text(encoding="utf-8"))
    phases = sum(run["schedule"].get(key, 0) for key in ("board_epochs", "epochs", "qat_epochs"))
    return phases + run.get("balance", {"epochs": 0})["epochs"]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def test_readme_board_beside_the_host() -> None:
    default, hundred, features = (
        load(ROOT / "bundles" / name).manifest for name in ("cifar10", "cifar100", "cifar10-features")
    )
    pair = (default, hundred)
    assert all(one["test_images"] == 10_000 for one in (*pair, features))
    costs, details = figures("device"), figures("device_details")
    alone = [details[f"{one}-board"]["accuracy_board"] for one in ("cifar10", "cifar100")]
    assert rows("| bytes by radio | CIFAR-10 | CIFAR-100") == [
        ["8", *[f"{percent(one)} %" for one in alone]],
        ["8", *[f"{percent(one['accuracy_board'])} %" for one in pair]],
        ["58", *[f"{percent(one['accuracy_by_symbols']['122'])} %" for one in pair]],
        ["150", *[f"{percent(one['accuracy']['0'])} %" for one in pair]],
        ["58", f"{percent(features['accuracy']['0'])} %", ""],
    ]
    for name, opponent, said in (
        ("cifar100", "cifar100-board", "by {lead} points on CIFAR-100 with {cost} M instructions per image on a"),
        ("cifar100-2m", "cifar100-2m-board", "by {lead} points with {cost} M ({host} against {board} %)"),
        ("cifar100-1m", "cifar100-1m-board", "by {lead} points with {cost} M ({host} against {board} %)"),
        ("cifar10-1m", "cifar10-1m-board", "by {lead} points with {cost} M ({host} against {board} %)"),
        ("cifar10-2m", "cifar10-2m-board", "by {lead} points on CIFAR-10 with {cost} M instructions ({host} against"),
        ("cifar10", "cifar10-board", "With {cost} M, there is no lead ({host} against {board} %)"),
        (
            "cifar100-4m",
            "cifar100-4m-board",
            "behind with {cost} M on CIFAR-100, by {behind} points ({host} against",
        ),
        (
            "cifar10-4m",
            "cifar10-4m-board",
            "with {cost} M on CIFAR-10, by {behind} points ({host} against {board} %)",
        ),
    ):
        host, board = details[name]["accuracy"], details[opponent]["accuracy_board"]
        millions, others = (costs[one]["cortex-m4"]["aot"]["instructions"] / 1e6 for one in (name, opponent))
        lead, behind, cost = f"{100 * (host - board):.1f}", f"{100 * (board - host):.1f}", f"{millions:.1f}"
        assert said.format(lead=lead, behind=behind, cost=cost, host=percent(host), board=percent(board)) in PROSE
        assert f"({percent(host)} against {percent(board)} %" in PROSE
        assert others == pytest.approx(millions, rel=0.03)
        assert "no lead" not in said or abs(host - board) < 1.5e-3
    datasets = ("cifar10", "cifar100")
    small = [f"curve/{one}-{size}" for one in datasets for size in ("1m", "2m", "4m")]
    alone_epochs = {epochs(f"{one}-board") for one in (*datasets, *small)}
    small_epochs = {epochs(one) for one in small}
    assert f"These boards were trained for {alone_epochs.pop()} epochs" in PROSE and not alone_epochs
    shipped = f"the codecs for {epochs('cifar100')} (`cifar100`), {epochs('cifar10')} (`cifar10`)"
    assert f"{shipped} and {small_epochs.pop()} (1, 2 and 4 M)" in PROSE and not small_epochs
    assert hundred["accuracy_by_symbols"]["122"] < alone[1] > hundred["accuracy_board"]
    codec = figures("codec_cifar100")
    worst, board = (way["by_ber"]["0.1"] for way in (codec["payload_bytes"]["140"], codec["boards"]["cifar100-board"]))
    assert worst["accuracy"] < board["accuracy"] and worst["accuracy_sent"] < board["accuracy_sent"]


def test_readme_adaptive_mode_beside_its_opponents() -> None:
    for dataset, name in (("CIFAR-10", "adaptive"), ("CIFAR-100", "adaptive_cifar100")):
        measured = figures(name)
        assert measured["images"] == 10_000
        every = leads(measured, INKLING, CHIPS, "air_s")
        ahead, behind = sum(each.is_ahead for each in every), sum(each.is_behind for each in every)
        text = PROSE[PROSE.index(f"- {dataset}: ahead at") :].partition(" - ")[0]
        assert (
            text.startswith(f"- {dataset}: ahead at {ahead} of {len(every)} points") and f"behind at {behind}" in text
        )
        if name == "adaptive":
            assert f"level at {len(every) - ahead - behind}" in text
            assert f"by up to {100 * max(each.difference for each in every):.1f} points" in text
            assert f"by {-100 * min(each.difference for each in every):.1f} points at worst" in text
        else:
            clean = [each for each in leads(measured, INKLING, BOARD, "air_s") if each.snr == "clean"]
            assert f"by up to {-100 * min(each.difference for each in clean):.1f} points below" in text
            frontiers = measured["by_snr"]["clean"]["frontiers"]["air_s"]
            ours = [f"{percent(accuracy)} % at {1e3 * air_s:.0f} ms" for air_s, accuracy, *_ in frontiers[INKLING]]
            shown = re.findall(r"[\d.]+ % at \d+ ms", text)
            assert len(shown) == 2 and set(shown) <= set(ours)
            best = max((each for each in every if each.snr == "clean"), key=lambda each: each.difference)
            assert f"by {100 * best.difference:.1f} points at most, at {1e3 * best.cost:.0f} ms" in text
            air_s, accuracy, *_ = frontiers["features, CRC"][-1]
            assert f"take {1e3 * air_s:.0f} ms for {percent(accuracy)} %" in text
            alone = max(accuracy for _, accuracy, *_ in frontiers[BOARD])
            times = [air_s for air_s, accuracy, *_ in frontiers[INKLING] if accuracy > alone]
            before = [air_s for air_s, accuracy, *_ in frontiers[INKLING] if accuracy <= alone]
            assert 1e3 * before[-1] < 95 < 1e3 * times[0]


def test_readme_classes_taught_later() -> None:
    found = figures("general")
    assert f"clean link ({found['date']}, mean of 9 runs: 3 draws of classes, 3 seeds" in PROSE

    def means(name: str, scheme: str) -> list[float]:
        by_shots = found["sets"][name]["schemes"][scheme]["by_shots"]
        assert list(by_shots) == ["5", "20", "100"]
        return [100 * mean(one["0"]["accuracy"]) for one in by_shots.values()]

    tiny = found["sets"]["tiny-imagenet"]
    assert (tiny["classes"], tiny["test_images"]) == (20, 1000)
    schemes = ("inkling-144", "inkling-36", "refitted", "scratch", "webp-144", "perfect")
    shown = [[f"{value:.1f}" for value in means("tiny-imagenet", scheme)] for scheme in schemes]
    assert rows("| pictures taught per class") == shown
    behind = [means(name, "refitted")[1] - means(name, "inkling-144")[1] for name in ("cells", "digits")]
    assert "by {:.1f} and {:.1f} points with 20 pictures per class".format(*behind) in PROSE


def test_readme_answer_frame_beside_one_byte() -> None:
    answers = figures("answers")
    byte, frame = (
        air_time_s(4, 7, explicit_header=False),
        air_time_s(len(AnswerHeader(0, 0, 0, Answer(0, 0)).encode()), 7),
    )
    assert f"{1e3 * byte:.0f} ms on the air at SF7 with an implicit header, against {1e3 * frame:.0f} ms for" in PROSE
    by_crc, by_bch = (
        answers["opponents"][name]["0.01"] for name in ("CRC-16, 6 bytes", "CRC-13 in BCH(63,45), 8 bytes")
    )
    known, new = (answers["received"][f"10 classes, {state} device, radio"]["0.01"] for state in ("known", "new"))
    assert known["lost"] == known["wrong"] == new["wrong"] == 0
    assert f"the CRC loses {100 * by_crc:.0f} % of these packets, and none of {answers['frames']:,} answer" in PROSE
    assert f"({percent(new['lost'])} % of a new one; 10 classes)" in PROSE
    assert f"the byte with a CRC loses {percent(by_bch)} %" in PROSE


def test_readme_accuracy_of_the_default_codec() -> None:
    codec = figures("codec")
    by_ber = [*(codec["payload_bytes"][size]["by_ber"] for size in ("140", "48", "12")), codec["answers"]["by_ber"]]
    expected = [[f"{percent(row[ber]['accuracy'])} %" for row in by_ber] for ber in ("0", "0.01", "0.05")]
    worst = [row["0.1"] for row in by_ber]
    expected.append([f"{percent(row['accuracy'])} % ({percent(row['accuracy_sent'])} %)" for row in worst])
    assert rows("| 140 bytes | 48 bytes") == expected
    training = codec["training"]
    epochs = [training[key] for key in ("board_epochs", "epochs", "qat_epochs")]
    assert training["teacher"]
    assert "for {} epochs of the board alone, {} of the whole codec and {} in int8".format(*epochs) in PROSE
    assert f"on {codec['images']:,} CIFAR-10 test images" in PROSE
    assert f"({codec['date']}, {codec['draws']} draws of flips, from seed {codec['seed']})" in PROSE


def test_readme_frames_lost() -> None:
    receiver = figures("receiver")
    known, new = (receiver[key]["0.1"] for key in ("header_loss", "header_loss_new_device"))
    assert f"Of {receiver['frames']:,} feature frames at a BER of 1e-1, {percent(known)} % are lost if" in PROSE
    assert f"is known, and {100 * new:.0f} % if it is new." in PROSE


def test_readme_cost_on_the_device() -> None:
    device, details, baseline = figures("device")["cifar10"], figures("device_details")["cifar10"], load_baseline()
    assert details["model_id"] == baseline.model_id
    aot, tflm = device["cortex-m4"]["aot"], vars(baseline.measured["cortex-m4"]["tflm"].cost)
    whole = baseline.whole_model

    def cells(cost: dict[str, Any], sizes: tuple[str, ...], accuracy: float) -> list[str]:
        bytes_used = [f"{cost[size] / 1e3:.1f} kB" if size else "" for size in sizes]
        return [f"{cost['instructions'] / 1e6:.1f} M", *bytes_used, f"{percent(accuracy)} %"]

    sizes = ("model_flash_bytes", "firmware_flash_bytes", "encoder_ram_bytes")
    assert rows("| instructions per image | flash of the model") == [
        *(cells(cost, sizes, details["accuracy"]) for cost in (aot, tflm)),
        cells(whole, ("", "flash_bytes", "arena_bytes"), whole["accuracy"]),
    ]
    bakenn, rv32imc = device["cortex-m4"]["aot_bakenn_add"], device["rv32imc"]["aot"]
    assert f"without it, it needs {bakenn['instructions'] / 1e6:.1f} M" in PROSE
    assert f"the encoder takes {rv32imc['instructions'] / 1e6:.1f} M instructions" in PROSE
    dates = [details["measured"]["cortex-m4"]["aot"]["date"], baseline.measured["cortex-m4"]["tflm"].date]
    assert f"({dates[0]}, `tflm` {dates[1]})" in PROSE


def test_readme_snr_of_each_scheme() -> None:
    goodput = figures("goodput")
    schemes = goodput["links"]["sf7"]["schemes"]

    def needed(*keys: str) -> str:
        limits = [lowest_snr(schemes[key]["rows"], HIGH) for key in keys if key in schemes]
        return f"{min(snr for snr in limits if snr is not None):.1f} dB"

    families = [("inkling", "inkling_prefix"), ("rs",), ("crc_48", "crc_48_prefix"), ("again", "again_prefix")]
    expected = [
        [needed(*keys), needed(*(f"{key}_implicit" for key in keys))] for keys in [*families, ("crc", "crc_prefix")]
    ]
    assert rows("| explicit header | implicit header") == expected
    assert f"({goodput['date']}, seed {goodput['seed']})" in PROSE


def test_readme_goodput_of_inkling() -> None:
    goodput = figures("goodput")
    gains = {snr: gain(goodput, snr) for snr in compared_snrs(goodput)}
    ahead = [snr for snr in gains if gains[snr] > 0]
    middle = 100 * median(gains[snr] for snr in ahead)
    assert ahead == list(range(ahead[0], ahead[-1] + 1))
    assert f"leads from {ahead[0]} to {ahead[-1]} dB (by {middle:.0f} % in the median)" in PROSE
    assert f"up to {-100 * min(gains.values()):.0f} % behind" in PROSE


def test_readme_systems_compared() -> None:
    measured = stored(RESULTS / "accuracy")
    names = ("inkling", "semanticnn", "semanticnn-device", "adjscc", "deepcod", "mobilenet_v2-plain")
    expected = []
    for name in names:
        pair = [measured[f"{dataset}-{name}"] for dataset in ("cifar10", "cifar100")]
        assert {one["encoder_macs"] for one in pair} == {pair[0]["encoder_macs"]}
        sizes = dict.fromkeys(f"{one['payload_bytes']:,.0f}" for one in pair)
        accuracies = [percent(one["accuracy"][ber]) for one in pair for ber in ("0", "0.1")]
        expected.append([" / ".join(sizes), f"{pair[0]['encoder_macs'] / 1e6:.2f} M", *accuracies])
    assert rows("| bytes | MACs on the device") == expected
    alone = [measured[f"{dataset}-mobilenet_v2-plain"]["classifier_accuracy"] for dataset in ("cifar10", "cifar100")]
    assert f"that classifier alone reaches {percent(alone[0])} and {percent(alone[1])} %" in PROSE
    assert all(one["epochs"] == 34 for name, one in measured.items() if not name.endswith("-plain"))


def test_readme_table_of_the_demo() -> None:
    demo = figures("demo")
    shown = [re.findall(r"[\d.]+", line) for line in README.splitlines() if line.strip().startswith("│")]
    assert shown == [
        [
            ber,
            percent(demo["answered"][ber]),
            percent(demo["accuracy"][ber]),
            percent(demo["accuracy_sent"][ber]),
            str(demo["frames_lost"][ber]),
            f"{demo['mean_frame_bytes'][ber]:.1f}",
            f"{1000 * demo['mean_air_time_s'][ber]:.0f}",
        ]
        for ber in demo["accuracy"]
    ]
    assert f"{demo['images']} CIFAR-10 test images at each BER" in README
