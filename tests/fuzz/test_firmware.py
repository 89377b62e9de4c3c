"""The firmware's fuzz target: its corpus passes, covers every line and detects planted faults; a short fuzzing run.

`make fuzz` fuzzes longer: docs/fuzzing.md.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz import firmware, fuzzer
from tests.fuzz.__main__ import fuzz as fuzz_and_print
from tests.fuzz.__main__ import target
from tests.fuzz.firmware import FuzzError
from tests.fuzz.fuzzer import Target
from tests.support.firmware import bundle_path

EXECUTIONS = 10_000
MAX_SECONDS = 600
SHA1_DIGITS = 40  # libFuzzer's names
# Lines that no command can reach: arguments that the application never passes, a function that it does not call, a
# model that does not fit its engine, code for boards with a radio (tests/firmware/radio), for unsolicited frames
# (tests/firmware/secure) and for a key that is in the memory at the start (tests/firmware/counter).
UNREACHED = {
    "app.c": ["line_send_error(0, 0,"],
    "commands.c": ["return start_error;"],
    "counter.c": [
        "return false;",
        "return;",
        "bool counter_ok(",
        "return ok;",
        "uint32_t counter_boots(",
        "return ok && counted",
        "void counter_get_key(",
        "memcpy(key, stored.key",
        "}",
    ],
    "frame.c": ["static struct wire_result fault(", "const struct wire_result result = {0,", "return "],
    "payload.c": ["uint32_t wire_interleaver_step(", "return find_step("],
    "image.c": ["return error;", "wire_radio_report_write(", "size += WIRE_RADIO_REPORT_BYTES;"],
    "radio_reply.c": [""],
    "reply.c": ["result.status |= ", "return result;"],
    "seal.c": ["return false;"],
    "secure.c": [
        "counter_get_key(key);",
        "wire_keys_derive(&keys, key);",
        "size_t secure_extra_bytes(",
        "return secure_has_key() ? WIRE_HEADER_TAG_BYTES",
        "size_t secure_answer_bytes(",
        "return WIRE_HEADER_BYTES",
        "size_t secure_status_bytes(",
        "return has_keys() ? WIRE_SECURED_STATUS_BYTES",
        "void secure_status(",
        "if (has_keys()) {",
        "wire_status_add_tag(",
        "}",
        "uint8_t secure_status_opcode(",
        "return WIRE_STATUS | ",
    ],
    "secured.c": ["static struct wire_result fault(", "const struct wire_result result = {0,", "return "],
    "secured_status.c": [""],
    "send.c": [
        "static enum wire_error send_by_radio(",
        "if (!answers) {",
        "const enum wire_error error = node_send_features(",
        "if (mode != WIRE_MODE_ADAPTIVE || error",
        "return error;",
        "return node_send_answer(",
        "return send_by_radio(",
    ],
}
FAULTS = {
    "parser.c": [
        ("answer >> 34 == WIRE_ANSWER_FRAME", "answer >> 35 == 0u"),
        ("p->length > wire_parser_max_data(p)", "p->length > wire_parser_max_data(p) + 1u"),
        ("i < sizeof bytes; i++", "i < sizeof bytes - 1u; i++"),
        ("if (word >> 22 != WIRE_COMMAND)", "if (word >> 22 == 3u)"),
        ("p->window = 0; /* a sync", "/* a sync"),
        ("const bool known = p->state == DATA || p->state == CHECK;", "const bool known = false;"),
        ("return known && !p->foreign ?", "return known ?"),
        ("return p->foreign ? WIRE_EVENT_NONE : WIRE_EVENT_COMMAND;", "return WIRE_EVENT_COMMAND;"),
        ("return named ? WIRE_EVENT_ERROR : WIRE_EVENT_NONE;", "return named + WIRE_EVENT_ERROR - named;"),
        ("received >= 2u && ", "received != 99u && "),
        ("device == WIRE_ANY_DEVICE);", "device == 254u);"),
        ("p->foreign = !names_this_board(p, p->count);", ";"),
        ("WIRE_COMMAND_MS + WIRE_BYTE_MS * full_length(p)", "WIRE_COMMAND_MS + 0u * full_length(p)"),
        ("if (sent != p->crc)", "if ((uint16_t)sent != (uint16_t)p->crc)"),
        ("p->length >= WIRE_SEAL_BYTES;", "p->length > WIRE_SEAL_BYTES;"),
    ],
    "secure.c": [
        ("opcode == WIRE_PIXELS ||", "opcode == WIRE_BENCH ||"),
        ("(opcode == WIRE_KEY && command->length == WIRE_KEY_BYTES)", "false"),
        ("        counter_advance();\n", ""),
        ("        return WIRE_ERROR_BAD_LENGTH;", "        return WIRE_ERROR_NOT_AUTHENTIC;"),
        ("return unique || !secure_has_key()", "return unique || secure_has_key()"),
        ("return secure_has_key() ? reply_number : request;", "return request;"),
        ("(command->opcode == WIRE_RUN || command", "(command->opcode == WIRE_PIXELS || command"),
    ],
    "seal.c": [("parser->seal, WIRE_SEAL_BYTES);", "parser->seal, WIRE_SEAL_BYTES - 1u);")],
    "secured.c": [("(uint32_t)(index >= classes)", "(uint32_t)(index > classes)")],
    "counter.c": [
        ("const uint32_t from = stored.limit;", "const uint32_t from = next;"),
        ("COUNTER_KEY_PERMANENT : COUNTER_KEY_LOST;", "COUNTER_KEY_PERMANENT : COUNTER_KEY_PERMANENT;"),
        ("if (ok && next == stored.limit)", "if (false)"),
    ],
    "app.c": [
        ("&parser, byte));\n    last_byte_micros = board_micros();", "&parser, byte));\n    last_byte_micros = 0u;"),
        ("> WIRE_TIMEOUT_MS * 1000u", ">= WIRE_TIMEOUT_MS * 1100u"),
        ("wire_parser_limit_ms(&parser) * 1000u", "wire_parser_limit_ms(&parser) * 1100u"),
        ("begun_micros = last_byte_micros;", "begun_micros = 0u;"),
        ("while ((byte = board_read()) >= 0)", "if ((byte = board_read()) >= 0)"),
        ("handle(wire_parser_skip(&parser, (uint8_t)byte))", "(void)byte"),
    ],
    "image.c": [("WIRE_RUN_BY_RADIO | WIRE_RUN_BY_MODE;", "WIRE_RUN_BY_RADIO | WIRE_RUN_BY_MODE | 8u;")],
    "send.c": [
        ("chunk < inkling_model.chunk_count", "chunk <= inkling_model.chunk_count"),
        ("request->by_mode ? mode_get().mode :", "false ? mode_get().mode :"),
    ],
    "mode.c": [
        ("mode.threshold > WIRE_MAX_CONFIDENCE", "mode.threshold > WIRE_MAX_CONFIDENCE + 1u"),
        ("answer.confidence >= present.threshold", "answer.confidence > present.threshold"),
    ],
    "answer.c": [
        ("scores[i] > scores[answer.index]", "scores[i] >= scores[answer.index]"),
        ("sum <= bounds[answer.confidence]", "sum < bounds[answer.confidence]"),
        ("level ^ level >> 1", "level"),
    ],
    "bch.c": [("UINT64_C(0x0000000010DD0226)", "UINT64_C(0x0000000010DD0224)")],
    "capture.c": [
        ("started && take()", "take()"),
        ("    capture_stop(); /*", "    /*"),
        ("return fits;", "return fits || true;"),
    ],
    "line.c": [
        ("(input[next++] ^ -128)", "input[next++]"),
        ("crc = wire_crc32(crc, piece, count);", "crc = wire_crc32(crc, piece, sizeof piece);"),
    ],
    "commands.c": [
        ("cycles < result.min_cycles ?", "cycles > result.min_cycles ?"),
        ("if (command->length != WIRE_HEAD_BYTES)", "if (command->length > WIRE_HEAD_BYTES)"),
        ("if (error == WIRE_ERROR_NONE) {\n        error = capture_take", "{\n        error = capture_take"),
        ("memset(encoder_input(), 0, KEY_BYTES_IN_INPUT);", "memset(encoder_input(), 0, KEY_BYTES_IN_INPUT - 1u);"),
        ("(secure_has_key() ? WIRE_SEAL_BYTES : 0u)", "0u"),
        ("|| state == COUNTER_KEY_LOST;", ";"),
    ],
    "payload.c": [
        ("outputs + model->latent_count", "outputs"),
        ("inverse < 0 ? (uint32_t)(inverse + (int32_t)n) : ", ""),
    ],
}


@pytest.fixture(scope="module")
def firmware_target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return target("firmware", tmp_path_factory.mktemp("fuzz"))


def corpus() -> list[Path]:
    return sorted((firmware.HARNESS.parent / "corpus" / "firmware").iterdir())


def test_corpus_passes(firmware_target: Target) -> None:
    done = fuzzer.replay(firmware_target, corpus())
    assert done.returncode == 0, done.stderr[-5000:]


def test_corpus_passes_with_the_real_encoder(tmp_path: Path) -> None:
    """Only the inputs with a name, because a real encoder is slow."""
    program = firmware.build(tmp_path, bundle_path())
    named = [path for path in corpus() if len(path.name) < SHA1_DIGITS]
    done = subprocess.run([program, *fuzzer.MEMORY, *named], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]


def test_corpus_covers_every_line_that_a_command_can_reach(tmp_path: Path) -> None:
    program = firmware.build(tmp_path, compiler=("gcc", "-O0", "--coverage"))
    subprocess.run([program, *corpus()], check=True)
    for source in firmware.firmware_sources():
        text = source.read_text(encoding="utf-8").splitlines()
        missed = [text[number - 1].strip() for number in missed_lines(program, source)]
        allowed = UNREACHED.get(source.name, [])
        assert [line for line in missed if not line.startswith(tuple(allowed))] == [], source.name


def missed_lines(program: Path, source: Path) -> list[int]:
    """Return the numbers of the lines that were not executed, by gcov."""
    counts = program.with_name(f"{program.name}-{source.stem}.gcda")
    done = subprocess.run(["gcov", "-t", "-j", counts], cwd=counts.parent, check=True, capture_output=True)
    lines = [line for file in json.loads(done.stdout)["files"] if file["file"] == str(source) for line in file["lines"]]
    assert lines
    return [line["line_number"] for line in lines if line["count"] == 0]


def plant(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, original: str, wrong: str) -> None:
    """Plant a fault in the source of this name, for all builds that follow."""
    sources = firmware.firmware_sources()
    (position,) = (index for index, source in enumerate(sources) if source.name == name)
    text = sources[position].read_text(encoding="utf-8")
    assert text.count(original) == 1
    (folder / name).write_text(text.replace(original, wrong), encoding="utf-8")
    sources[position] = folder / name
    monkeypatch.setattr(firmware, "firmware_sources", lambda: sources)


@pytest.mark.slow  # all cases together
@pytest.mark.parametrize(
    ("name", "original", "wrong"), [(name, *change) for name, changes in FAULTS.items() for change in changes]
)
def test_corpus_detects_a_planted_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, original: str, wrong: str
) -> None:
    plant(tmp_path, monkeypatch, name, original, wrong)
    program = firmware.build(tmp_path / "build", compiler=("gcc", "-O0"))
    assert subprocess.run([program, *corpus()], capture_output=True, check=False).returncode != 0


@pytest.mark.slow
def test_fuzzer_finds_a_fault_without_a_corpus_and_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(tmp_path, monkeypatch, *("parser.c", "memcmp(expected, p->field, sizeof expected) != 0", "0"))
    faulty = replace(target("firmware", tmp_path), corpus=tmp_path / "empty")
    assert fuzz_and_print(faulty, MAX_SECONDS, keep=False) == 1
    (finding,) = faulty.findings.iterdir()
    assert f"--replay {finding}" in capsys.readouterr().out
    assert "against the specification" in fuzzer.replay(faulty, [finding]).stderr


def test_build_reports_a_missing_compiler_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FuzzError, match=r"^clang-0 is not installed \(Debian: apt install clang-14 \S+\)$"):
        firmware.build(tmp_path, compiler=("clang-0",))


@pytest.mark.slow
def test_short_fuzzing_finds_nothing(firmware_target: Target) -> None:
    outcome = fuzzer.fuzz(firmware_target, MAX_SECONDS, print, EXECUTIONS)
    assert not outcome.failed, f"{outcome.finding}\n{firmware_target.log.read_text(errors='replace')[-5000:]}"
    assert outcome.executions >= EXECUTIONS
