"""The ledger of a real box, saved, and then changed by somebody: the command line names what."""

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import CHECKOUT, RunningBox, soon
from tests.recovery.speaking import install

from databox.ledger.bundle import Marks, last_line
from databox.ledger.signing import Signer
from databox.ledger.tree import Growing
from databox.wire.ledger import leaf_hash

Lines = list[bytes]
AT = 4
"""The entry that is tampered with."""


@dataclass(frozen=True)
class Saved:
    """A saved ledger. `key`: the public key of its box, as on the recovery sheet."""

    lines: Lines
    key: str


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    file = tmp_path_factory.mktemp("saved") / "ledger.jsonl"
    for home in make_home():
        with RunningBox(home) as box:
            box.set_up()
            install(box, "first")
            install(box, "second")
            box.call("POST", "/api/stop-access", {"component": "first"})
            soon((home / "run" / "operator.json").exists)
            said = command("ledger", "save", str(file), home=home)
            assert said.returncode == 0, said.stderr
            key = box.get("/api/history/checkpoint")["key"]
        lines = file.read_bytes().splitlines(keepends=True)
        assert len(lines) > 2 * AT
        yield Saved(lines, key)


def command(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line, as the set-up script starts it."""
    environment = {"PYTHONPATH": str(CHECKOUT / "src"), "PATH": os.environ["PATH"]}
    if home is not None:
        environment["DATABOX_HOME"] = str(home)
    return subprocess.run(
        (sys.executable, "-m", "databox.cli", *words),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def verify(lines: Lines, folder: Path, key: str = "") -> subprocess.CompletedProcess[str]:
    """Check a file without any box; no home folder is there to look into."""
    file = folder / "tampered.jsonl"
    file.write_bytes(b"".join(lines))
    nowhere = folder / "no-box"
    words = ("--key", key) if key else ()
    return command("ledger", "verify", str(file), *words, home=nowhere)


def test_the_control_what_was_saved_is_whole(saved: Saved, tmp_path: Path) -> None:
    said = verify(saved.lines, tmp_path, saved.key)
    assert said.returncode == 0
    assert f"{len(saved.lines) - 1} entries, none changed or removed" in said.stdout


def flip(lines: Lines) -> Lines:
    at = lines[AT].index(b'"by":"') + 7
    changed = bytes((lines[AT][at] ^ 1,))
    return [*lines[:AT], lines[AT][:at] + changed + lines[AT][at + 1 :], *lines[AT + 1 :]]


def remove(lines: Lines) -> Lines:
    return [*lines[:AT], *lines[AT + 1 :]]


def reorder(lines: Lines) -> Lines:
    return [*lines[:AT], lines[AT + 1], lines[AT], *lines[AT + 2 :]]


def repeat(lines: Lines) -> Lines:
    return [*lines[: AT + 1], *lines[AT:]]


def shorten(lines: Lines) -> Lines:
    return [*lines[:AT], lines[AT][: len(lines[AT]) // 2] + b"\n", *lines[AT + 1 :]]


def cut_end(lines: Lines) -> Lines:
    return [*lines[:AT], lines[-1]]


def cut_checkpoint(lines: Lines) -> Lines:
    return lines[:-1]


def flip_signature(lines: Lines) -> Lines:
    fields = msgspec.json.decode(lines[-1])
    signature = bytearray(base64.b64decode(fields["signature"]))
    signature[0] ^= 1
    fields["signature"] = base64.b64encode(signature).decode()
    return [*lines[:-1], msgspec.json.encode(fields) + b"\n"]


def claim_less(lines: Lines) -> Lines:
    fields = msgspec.json.decode(lines[-1])
    fields["size"] = AT
    return [*lines[:AT], msgspec.json.encode(fields) + b"\n"]


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (flip, f"entry {AT} was changed"),
        (remove, f"entry {AT} is missing"),
        (reorder, f"entry {AT} is not in its place"),
        (repeat, f"entry {AT} stands again"),
        (shorten, f"entry {AT} was changed"),
        (cut_end, f"entries {AT} to"),
        (cut_checkpoint, "the checkpoint is missing"),
        (flip_signature, "the checkpoint's signature does not hold"),
        (claim_less, "the checkpoint's signature does not hold"),
    ],
)
def test_what_was_done_to_a_saved_ledger_is_named(
    saved: Saved, tmp_path: Path, tamper: Callable[[Lines], Lines], named: str
) -> None:
    said = verify(tamper(saved.lines), tmp_path)
    assert said.returncode == 1
    assert said.stdout.startswith("The ledger is NOT whole: ")
    assert named in said.stdout


def forged(lines: Lines) -> Lines:
    """Entry `AT` says something else; everything after it, and the checkpoint, made anew."""
    tree, marks, entries = Growing(), Marks(), []
    for number, line in enumerate(lines[:-1]):
        entry = line.rstrip(b"\n")
        if number == AT:
            entry = entry.replace(b'"by":"', b'"by":"x', 1)
        tree.add(leaf_hash(entry))
        marks.add(leaf_hash(entry))
        entries.append(entry + b"\n")
    checkpoint = Signer(bytes(32)).checkpoint(len(entries), tree.root(), 5000)
    return [*entries, last_line(checkpoint, marks)]


def test_a_ledger_forged_as_a_whole_is_not_signed_by_the_box(saved: Saved, tmp_path: Path) -> None:
    said = verify(forged(saved.lines), tmp_path, saved.key)
    assert said.returncode == 1
    assert "the checkpoint is signed by another key than this box's" in said.stdout


def test_without_the_boxs_key_it_is_said_what_was_not_shown(saved: Saved, tmp_path: Path) -> None:
    said = verify(forged(saved.lines), tmp_path)
    assert said.returncode == 0
    assert (
        "Without --key this shows that the file is whole, not that it is from your" in said.stdout
    )
