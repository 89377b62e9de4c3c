"""`inkling mqtt withdraw`: retained messages are cleared, and nothing else."""

from pathlib import Path

from benchmarks.broker import free_port
from host.mqtt import topics
from host.publish.home_assistant import config_topic
from tests.conftest import RunInkling
from tests.support.mqtt.broker import listening, running, wait_until


def test_withdraw_clears_the_devices_named(run_inkling: RunInkling, tmp_path: Path) -> None:
    names = [name for n in (1, 2, 3) for name in (topics.state("home", n), config_topic("homeassistant", "home", n))]
    with running(tmp_path) as mosquitto:
        with listening(mosquitto, "unused") as sender:
            for name in names:
                sender.send(name, b"{}", retain=True)
        status, out, err = run_inkling(
            "mqtt", "withdraw", "--mqtt", mosquitto.url, "--site", "home", "--device", "1", "--device", "3"
        )
        assert (status, out, err) == (0, "withdrawn: device 1, device 3 of home\n", "")
        with listening(mosquitto, "#") as listener:
            wait_until(lambda: len(listener.messages) >= 2)
    assert {topic for topic, _, _ in listener.messages} == set(names[2:4])


def test_withdraw_reports_a_broker_that_is_away(run_inkling: RunInkling) -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    status, out, err = run_inkling("mqtt", "withdraw", "--mqtt", url, "--site", "home", "--device", "3")
    assert (status, out) == (1, "") and err == f"inkling: cannot connect to {url}: Connection refused\n"
