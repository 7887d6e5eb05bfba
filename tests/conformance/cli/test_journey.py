"""The command line against a whole box: what an owner without a browser does, in order."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.box_by_script import BoxByScript, box_by_script, wait_for


@pytest.fixture(scope="module")
def box() -> Iterator[BoxByScript]:
    with box_by_script() as box:
        box.up()
        box.set_up()
        wait_for(10, (box.home / "run" / "operator.json").exists)
        yield box


def report(box: BoxByScript) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(box.verb("status", "--json").stdout)
    return found


def component(box: BoxByScript, name: str) -> dict[str, Any]:
    return next(each for each in report(box)["components"] if each["name"] == name)


@pytest.fixture(scope="module")
def installed(box: BoxByScript) -> BoxByScript:
    box.verb("install", "os-monitor", "--yes")
    box.verb("install", "computer-graph", "--yes")
    wait_for(20, lambda: component(box, "computer-graph")["state"] == "running")
    return box


def test_status_tells_state_address_and_parts(box: BoxByScript) -> None:
    found = report(box)
    assert (found["state"], found["address"], found["owner"]) == ("running", box.address, "Ana")
    assert {"gateway", "authority", "manager"} <= {part["name"] for part in found["parts"]}


def test_doctor_finds_no_fault_in_a_box_that_runs(box: BoxByScript) -> None:
    findings = {each["name"]: each for each in json.loads(box.verb("doctor", "--json").stdout)}
    assert findings["box"]["found"] == "running"
    assert [each for each in findings.values() if each["level"] == "fail"] == []


def test_a_second_up_leaves_the_running_box_alone(box: BoxByScript) -> None:
    done = box.verb("up", "--no-browser")
    assert done.stdout.splitlines()[-1] == box.address


def test_a_grant_ends_the_invented_data_and_a_revocation_brings_it_back(
    installed: BoxByScript,
) -> None:
    assert component(installed, "computer-graph")["invented"]
    source = "os-monitor-store/cpu-load"
    wait_for(20, lambda: _granted(installed, f"CPU_LOAD={source}", "--exact", "minute"))
    assert not component(installed, "computer-graph")["invented"]
    said = installed.verb("revoke", "computer-graph", "CPU_LOAD").stdout
    assert said.startswith("1 permission ended in ")
    assert component(installed, "computer-graph")["invented"]


def _granted(box: BoxByScript, *words: str) -> bool:
    """The source is there once the driver has registered it."""
    return box.verb("grant", "computer-graph", *words, check=False).returncode == 0


def test_more_than_asked_is_refused_in_words(installed: BoxByScript) -> None:
    done = installed.verb("grant", "computer-graph", "CPU_LOAD=os-monitor-store/x", check=False)
    assert done.returncode == 1
    assert "this source is not on the box" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_app_file_runs_reloads_and_is_gone_after_ctrl_c(
    installed: BoxByScript, tmp_path: Path
) -> None:
    file = tmp_path / "night_owl.py"
    code = (
        "from databox.sdk import App, view\n"
        'app = App("Night owl", purpose="Shows how late you are up")\n'
        'load = app.ask("cpu-load", exact="minute", why="to count by hour")\n'
        "@app.screen\ndef screen():\n"
        '    return view.bars(load.count(by="hour of day"))\n'
        "app.run()\n"
    )
    file.write_text(code)
    with installed.running("run", str(file)) as lines:
        assert "runs, on invented data" in lines.until("runs")
        name = lines.until("/open").rsplit("/", 2)[-2]
        wait_for(20, lambda: component(installed, name)["state"] == "running")
        file.write_text(code.replace("how late", "how very late"))
        assert lines.until("Loaded anew")
        assert component(installed, name)["description"] == "Shows how very late you are up"
    assert name not in {each["name"] for each in report(installed)["components"]}


def test_the_ledger_is_whole_and_a_saved_one_needs_no_box(
    installed: BoxByScript, tmp_path: Path
) -> None:
    assert "is whole" in installed.verb("ledger", "verify").stdout
    file = tmp_path / "ledger.jsonl"
    installed.verb("ledger", "save", str(file))
    assert "is whole" in installed.verb("ledger", "verify", str(file)).stdout
    changed = file.read_bytes().replace(b"computer-graph", b"computer-gr4ph", 1)
    file.write_bytes(changed)
    done = installed.verb("ledger", "verify", str(file), check=False)
    assert done.returncode == 1
    assert "NOT whole" in done.stdout


def test_a_checkpoint_from_before_is_what_the_ledger_still_begins_with(
    installed: BoxByScript, tmp_path: Path
) -> None:
    note, file = tmp_path / "note", tmp_path / "ledger.jsonl"
    note.write_text(installed.verb("ledger", "checkpoint").stdout)
    assert note.read_text().startswith("databox/")
    older = ("--older", str(note))
    said = installed.verb("ledger", "verify", *older).stdout
    assert "It begins with the same" in said
    assert "accesses on record, none changed or removed" in said
    installed.verb("ledger", "save", str(file))
    key = said.partition("signed by ")[2].split(".\n")[0]
    assert "is whole" in installed.verb("ledger", "verify", str(file), "--key", key, *older).stdout


def test_who_read_what_is_told_in_sentences(installed: BoxByScript) -> None:
    assert "read" in installed.verb("ledger", "reads", "--days", "1").stdout
    nobody = installed.verb("ledger", "reads", "--app", "nobody").stdout
    assert nobody == "Nobody read anything in this time.\n"


def test_uninstalling_removes_it(installed: BoxByScript) -> None:
    installed.verb("uninstall", "computer-graph")
    assert "computer-graph" not in {each["name"] for each in report(installed)["components"]}


def test_down_ends_it_and_the_next_start_takes_seconds() -> None:
    with box_by_script() as box:
        box.up()
        box.set_up()
        box.verb("down")
        assert box.wait() == 0
        assert box.verb("status", check=False).returncode == 3
        began = time.monotonic()
        box.up()
        assert time.monotonic() - began < 10
        wait_for(20, lambda: report(box)["state"] == "running")


def test_a_taken_port_is_told_with_its_holder(box: BoxByScript) -> None:
    port = box.address.rpartition(":")[2]
    with box_by_script() as other:
        done = other.verb("up", "--no-browser", "--port", port, check=False)
    assert done.returncode == 1
    # A box hides its descriptors, which hold keys, from other programs of the same user.
    holder = f"(process {box.pid})" if os.getuid() == 0 else "no program that this user may see"
    assert holder in done.stderr
    assert "--port" in done.stderr


@pytest.mark.root
def test_a_home_out_of_reach_is_refused_before_anything_starts(box: BoxByScript) -> None:
    with box_by_script() as other:
        other.home.parent.chmod(0o700)
        done = other.verb("up", "--no-browser", check=False)
        other.home.parent.chmod(0o755)
    assert done.returncode == 1
    assert "out of reach of the sandboxes" in done.stderr
