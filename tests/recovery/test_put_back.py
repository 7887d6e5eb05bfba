"""An older copy of one store's files, put back into a box that was off: found when it starts."""

import os
import shutil
from pathlib import Path

from tests.recovery.running import RunningBox, soon

STORE = "os-monitor-store"
READINGS = f"/api/stores/{STORE}/cpu-load/ts/since?startTimestamp=0"


def put_back(folder: Path, copy: Path) -> None:
    """As who puts a backup back: every file is the old one, and belongs to whom it did."""
    owner = folder.stat()
    for each in folder.iterdir():
        if each.is_file():
            each.unlink()
    for each in copy.iterdir():
        if each.is_file():
            to = shutil.copy2(each, folder / each.name)
            os.chown(to, owner.st_uid, owner.st_gid)


def run_for_a_while(box: RunningBox) -> None:
    before = len(box.readings())
    soon(lambda: len(box.readings()) >= before + 3, within=20)


def test_a_store_put_back_in_a_whole_box_waits_for_the_owner(home: Path, tmp_path: Path) -> None:
    folder, copy = home / "stores" / STORE, tmp_path / "copy"
    with RunningBox(home) as box:
        box.set_up()
        box.install("os-monitor")
        soon(lambda: box.call("GET", READINGS)[0] == 200, within=20)
        run_for_a_while(box)
    shutil.copytree(folder, copy)
    with RunningBox(home) as box:
        box.log_in()
        soon(lambda: box.call("GET", READINGS)[0] == 200, within=20)
        assert box.get("/api/history/alarms")["alarms"] == []
        run_for_a_while(box)
        kept = box.readings()
    put_back(folder, copy)

    with RunningBox(home) as box:
        box.log_in()
        soon(lambda: box.get("/api/history/alarms")["alarms"], within=20)
        (alarm,) = box.get("/api/history/alarms")["alarms"]
        assert alarm["entry"]["event"]["why"] == "fewer"
        status, answer = box.call("GET", READINGS)
        assert (status, answer["error"]["code"]) == (503, "put-back")
        accepted = box.call("POST", "/api/history/accept", {"store": STORE})
        assert accepted[0] == 200
        soon(lambda: box.call("GET", READINGS)[0] == 200, within=20)
        assert len(set(kept) - set(box.readings())) > 0, "what was lost stays lost"
        assert box.get("/api/history/alarms")["alarms"] == []
        checked = box.get(f"/api/stores/{STORE}/chain")
        assert checked["ok"], checked
        assert box.get("/api/history/verdict")["ok"]
