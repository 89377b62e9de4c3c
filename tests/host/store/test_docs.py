"""docs/store.md against the schema: its tables, its recipes and its Python."""

import re
import sqlite3
from pathlib import Path

import pytest

from host.store.schema import APPLICATION_ID, MIGRATIONS
from host.store.store import Store
from tests.host.store.records import reading
from tests.support import ROOT

PAGE = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
RECIPES = re.findall(r'^ {4}sqlite3 -readonly.*?"(SELECT.*?)"', PAGE, re.MULTILINE | re.DOTALL)


def test_docs_list_every_table_and_the_version(store: Store) -> None:
    with store._database.reading() as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == tables
    assert f"is {APPLICATION_ID} " in PAGE and f"version of the schema, {len(MIGRATIONS)}." in PAGE


@pytest.mark.parametrize("recipe", RECIPES)
def test_documented_queries_find_readings(store: Store, recipe: str) -> None:
    store.write([reading(n, device=7) for n in range(3)])
    rows = sqlite3.connect(f"{store.path.as_uri()}?mode=ro", uri=True).execute(recipe).fetchall()
    assert rows and None not in rows[0][:3]


def test_documented_queries_are_found() -> None:
    assert len(RECIPES) == 4


def test_documented_python_runs(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    store.write([reading(label="fox")])
    monkeypatch.chdir(store.path.parent)
    program = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[-1]
    exec(compile(program, str(Path("docs/store.md")), "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "home 3 1790000000.0 fox", "1790000000.0 0.75 (0, 1, 2, 3, 4, 5, 6, 7)",
    ]  # fmt: skip
