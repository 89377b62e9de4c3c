"""The thread of a site: what ends it is known to the server, as one line if a user can mend it."""

import logging
from pathlib import Path

import pytest

from host.errors import HostError
from host.server.worker import SiteWorker
from host.site.engine import Site, SiteSettings
from tests.support.host import make_bundle


@pytest.mark.parametrize(
    ("error", "lines"), [(HostError("decoder.onnx has been stopped"), 0), (ZeroDivisionError(), 1)]
)
def test_worker_logs_only_faults_of_this_program(
    tmp_path: Path,
    error: Exception,
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing() -> None:
        raise error

    site = Site("home", [make_bundle(tmp_path / "model")], SiteSettings())
    monkeypatch.setattr(site, "poll", failing)
    worker = SiteWorker(site, lambda records: None)
    worker.start()
    worker.join(60.0)
    assert worker.failure is error
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == lines
