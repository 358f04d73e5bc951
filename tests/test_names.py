"""Names from elsewhere are shown, and nothing more: no escape, no markup, no line of their own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import unicodedata
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zeroloop
from command_line import MAIN, run
from mutants import a_small_table
from zeroloop.plain_text import one_line, plain

HOSTILE = {
    "markup": "[red]yes",
    "brackets": "my data [final]",
    "closing": "[/b]",
    "link": "[link=http://x]y[/link]",
    "emoji": ":smile:",
    "title": "\x1b]0;owned\x07",
    "clear": "\x1b[2J\x1b[H",
    "csi": "\x9b31m",
    "line": "a\nzeroloop: error: none",
    "return": "abc\rdef",
    "reversed": "\u202egpj.exe",
    "isolated": "\u2066x\u2069",
    "paragraph": "a\u2029b",
    "tags": "x\U000e0041",
    "backspace": "abc\b\b\b",
    "dollar": "$x^2$",
    "tag": "<script>alert(1)</script>",
    "long": "x" * 300,
    "plain": "Zürich 東京 می‌خواهم 👍",
}


def shown(text: str) -> str:
    return text.translate({code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]} | SPELLED)


SPELLED = {
    ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", 0x202E: "\\u202e", 0x2066: "\\u2066", 0x2069: "\\u2069",
    0x2029: "\\u2029", 0xE0041: "\\U000e0041",
}  # fmt: skip


def command(*arguments: str, folder: Path) -> tuple[int, str, str]:
    done = run(*arguments, cwd=folder)
    return done.returncode, done.stdout, done.stderr


def harmless(text: str) -> bool:
    """Return whether a terminal does nothing with a text but show it, and end lines."""
    return not any(unicodedata.category(one) in ("Cc", "Cf") and one not in "\n\u200c\u200d" for one in text)


@given(st.text())
def test_plain_text_shows_and_keeps_apart(text: str) -> None:
    assert harmless(plain(text))
    assert "\n" not in plain(text)
    assert plain(plain(text)) == plain(text)
    if harmless(text) and text.isprintable():
        assert plain(text) == text


def test_a_message_is_a_line() -> None:
    assert one_line("a\n  b\x1b[2J\u2028c") == "a b\\x1b[2J c"


@pytest.mark.parametrize("positive", [HOSTILE["markup"] + HOSTILE["title"]])
def test_names_are_shown_as_they_are(tmp_path: Path, positive: str) -> None:
    names = list(HOSTILE.values())
    rng = np.random.default_rng(0)
    table = pa.table(
        {"y": pa.array(["no", positive])}
        | {name: rng.standard_normal(2) for name in names}
        | {f"t{name}": [f"{i}{name}" for i in range(2)] for name in names}
    )
    table = table.take(rng.integers(0, 2, 400))
    for j in range(1, table.num_columns):
        table = table.set_column(j, table.column_names[j], table.column(j).take(pa.array(rng.permutation(400))))
    pq.write_table(table, tmp_path / "rows.parquet")
    code, out, err = command(
        "train", "rows.parquet", "--target", "y", "--C", "inf", "-o", "m.json", "--report", "r.html", folder=tmp_path
    )
    assert code == 0, err
    assert harmless(out + err)
    assert repr(positive) in out
    code, out, err = command("summary", "m.json", folder=tmp_path)
    assert code == 0, err
    assert harmless(out + err)
    lines = out.splitlines()
    for name in names:
        for one in (f"{shown(name)} ", f"{shown(f't{name}=1{name}')} "):
            assert any(line.startswith(one) for line in lines), one
    code, out, _ = command("summary", "m.json", "--json", folder=tmp_path)
    terms = {term["term"] for term in json.loads(out)["terms"]}
    assert terms > set(names)  # as they are: JSON has escapes of its own
    page = (tmp_path / "r.html").read_text("utf-8")
    assert harmless(page)
    assert "<script>alert" not in page
    assert harmless(str(zeroloop.load(tmp_path / "m.json").summary()))


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "\x1b]0;x\x07.csv", "--target", "y"),
        ("train", "rows.parquet", "--target", "\x1b[2J"),
        ("train", "rows.parquet", "--target", "y", "--C", "\x1b[2J"),
        ("train", "rows.parquet", "--\x1b[2J"),
        ("\x1b[2J",),
        ("ladder", "--show", "\x1b[2J"),
        ("predict", "\u202em.json", "rows.parquet"),
        ("train", "rows.parquet", "--target", "y", "-o", "\x1b[2J/m.json"),
    ],
)
def test_errors_show_what_was_given_and_nothing_more(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    pq.write_table(a_small_table(), tmp_path / "rows.parquet")
    code, out, err = command(*arguments, folder=tmp_path)
    assert code == 2
    assert out == ""
    assert harmless(err)
    assert "\\x1b" in err or "\\u202e" in err


def test_file_names_are_shown(tmp_path: Path) -> None:
    pq.write_table(a_small_table(), tmp_path / "my data [final] \x1b[2J.parquet")
    (tmp_path / os.fsdecode(b"caf\xe9.parquet")).write_bytes(
        (tmp_path / "my data [final] \x1b[2J.parquet").read_bytes()
    )
    for name, said in (
        ("my data [final] \x1b[2J.parquet", "my data [final] \\x1b[2J.parquet"),
        (os.fsdecode(b"caf\xe9.parquet"), "caf\\udce9.parquet"),
    ):
        model = name.replace(".parquet", ".json")
        code, out, err = command(
            "train", name, "--target", "y", "-o", model, "--report", "[b]\x07.html", folder=tmp_path
        )
        assert code == 0, err
        assert f"Read {said}: " in out
        assert f"Saved {said.replace('parquet', 'json')}" in out
        assert "Wrote [b]\\x07.html: " in out
        assert harmless(out + err)
        assert command("summary", model, folder=tmp_path)[0] == 0


def test_a_model_from_elsewhere_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    zeroloop.train(a_small_table().drop(["day"]), "y").save(tmp_path / "m.json")
    document = json.loads((tmp_path / "m.json").read_text())
    training = document["training"]
    for key in ("data", "solver", "outcome", "storage", "date", "version"):
        training[key] = f"[red]{key}\x1b]0;owned\x07\u202e"
    training["seconds"] = {"\x1b[2J": 1.0}
    training["skipped"] = [{"path": "\x1b[2J", "reason": "[bold]\x9b31m"}]
    document["no_estimates"] = "[red]\x1b[2J"
    document["schema"]["left_out"] = [{"name": "\x1b[2J", "reason": "[/]"}]
    (tmp_path / "m.json").write_text(json.dumps(document))
    code, out, err = command("summary", "m.json", folder=tmp_path)
    assert code == 0, err
    assert harmless(out + err)
    assert "Read [red]data\\x1b]0;owned\\x07\\u202e: " in out


def test_a_terminal_gets_our_styles_and_no_others(tmp_path: Path) -> None:
    zeroloop.train(a_small_table().drop(["day"]), "y").save(tmp_path / "m.json")
    document = json.loads((tmp_path / "m.json").read_text())
    document["training"]["data"] = "\x1b]0;owned\x07"
    (tmp_path / "m.json").write_text(json.dumps(document))
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", MAIN, "summary", str(tmp_path / "m.json")],
        stdout=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    read = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        read += part
    os.close(ours)
    assert done.wait(60) == 0
    assert b"\x1b[1m" in read  # bold is ours
    assert b"\x1b]0" not in read
    assert b"\x07" not in read


@pytest.mark.parametrize(
    ("role", "options"),
    [("weights", {}), ("weights", {"weight_type": "sampling"}), ("offset", {}), ("cluster", {}), ("target", {})],
)
def test_a_column_without_a_name_is_one_like_any_other(role: str, options: dict[str, str], tmp_path: Path) -> None:
    """The judge is the same table with a name for it."""
    rng = np.random.default_rng(0)
    kinds = {"target": rng.integers(0, 2, 300), "cluster": rng.integers(0, 60, 300)}
    column = kinds.get(role, rng.random(300) + 0.5)
    others = {"x": rng.standard_normal(300)} | ({} if role == "target" else {"y": kinds["target"]})
    found = []
    for name in ("", "named"):
        table = pa.table(others | {name: column})
        given: dict[str, Any] = {"target": "y", role: name} | options
        model = zeroloop.train(table, C=float("inf"), **given)
        model.save(tmp_path / "m.json")
        loaded = zeroloop.load(tmp_path / "m.json")
        assert loaded.estimates is not None
        scores = zeroloop.evaluate(loaded, table)
        found.append((loaded.coef.tobytes(), loaded.estimates.covariance.tobytes(), scores["log_loss"]))
        with pytest.raises(zeroloop.ZeroloopError, match=rf"column '{name}'") if role != "cluster" else nullcontext():
            zeroloop.evaluate(loaded, table.drop([name]))
    assert found[0] == found[1]
