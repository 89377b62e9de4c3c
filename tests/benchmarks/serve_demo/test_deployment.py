"""The whole deployment without hardware: nodes, air, gateways, broker, decoders, page."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.serve_demo.cli import main
from benchmarks.serve_demo.deployment import SITES
from host.mqtt import topics
from host.store.query import ReadingQuery
from host.store.store import Store

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def test_sites_are_in_different_partitions() -> None:
    assert {topics.slot(site) % 2 for site in SITES} == {0, 1}


def test_deployment_stores_what_its_nodes_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--nodes", "4", "--every", "2", "--snr", "5", "--seconds", "25", "--listen", "127.0.0.1:0"]
    monkeypatch.setattr("sys.argv", ["serve_demo", *arguments, "--out", str(tmp_path)])
    assert main() == 0, capsys.readouterr()
    sent = int(capsys.readouterr().out.split(" images sent by 4 nodes")[0].split()[-1])
    with Store(tmp_path / "readings.sqlite3", read_only=True) as store:
        readings = store.readings(ReadingQuery(limit=1000))
    assert {reading.site for reading in readings} == {*SITES}
    assert {reading.frame for reading in readings} == {"answer", "features"}
    # At this SNR, nothing is lost on the air. The last images may be under way at the end.
    assert 0 < sent - 8 <= len(readings) <= sent
    heard = Counter(reading.site for reading in readings for _ in reading.receptions)
    in_garden = sum(reading.site == SITES[0] for reading in readings)
    assert heard[SITES[0]] > 1.5 * in_garden and heard[SITES[1]] == len(readings) - in_garden
