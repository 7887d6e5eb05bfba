"""A store whose disk fails says so to the owner, with what to do, and goes on by itself after it.

On the dashboard, in `databox status` and in `databox doctor`.
"""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, command, soon
from tests.recovery.speaking import Spoken, install
from tests.recovery.test_full_disk import SmallBox, write
from tests.recovery.test_sleeping_stores import IDLE_SECONDS

from databox.cli.doctor import diagnose
from databox.cli.status import Report, as_text, look

pytestmark = pytest.mark.root
STORE = "diary-store"
LATEST = "/day/ts/latest"
MORE = "x" * 50_000


@pytest.fixture(scope="module")
def driver() -> Iterator[Spoken]:
    for home in make_home():
        with SleepySmallBox(home, "stores", 24) as box:
            box.set_up()
            # As `databox up` leaves it.
            (home / "run" / "address").write_text(box.address)
            yield install(box, "diary", **{"databox-type": "driver"})


class SleepySmallBox(SmallBox):
    """A small disk for the stores, which sleep soon."""

    def command(self) -> list[str]:
        python, _, _, *words = command(self.home)
        code = (
            "import sys; from databox.box import __main__, stores;"
            f"stores.IDLE_SECONDS = {IDLE_SECONDS}; sys.exit(__main__._run())"
        )
        return [python, "-P", "-c", code, *words[1:]]

    def mount(self, *options: str) -> None:
        """Mount the stores' disk anew with other options, where the box sees it."""
        words = ["nsenter", "--target", str(self.process.pid), "--mount", "mount"]
        subprocess.run([*words, "-o", ",".join(("remount", *options)), str(self.place)], check=True)


def troubles(box: RunningBox) -> list[dict[str, str]]:
    found: list[dict[str, str]] = box.get("/api/sources")["troubles"]
    return found


def told(box: SmallBox, words: str, remedy: str) -> bool:
    """Whether the owner reads these words everywhere."""
    found = troubles(box)
    assert [each["store"] for each in found] == [STORE]
    trouble = found[0]
    assert words in trouble["what"]
    assert remedy in trouble.get("remedy", "") + trouble["what"]
    assert int(trouble["since"]) > 0
    return True


def told_by_commands(box: SmallBox, words: str) -> bool:
    report: Report = look(box.home)
    assert f"{STORE}: {words}" in as_text(report)
    assert any(f.name == STORE and words in f.found for f in diagnose(box.home))
    return True


def well(box: RunningBox) -> bool:
    return troubles(box) == []


def small(driver: Spoken) -> SleepySmallBox:
    assert isinstance(driver.box, SleepySmallBox)
    return driver.box


def test_a_sound_store_is_in_no_trouble(driver: Spoken) -> None:
    assert driver.call(STORE, "POST", "/day/ts", {"data": 0})[0] == 200
    assert well(driver.box)


def test_a_full_disk_is_told_and_is_over_by_itself(driver: Spoken) -> None:
    box, token = small(driver), driver.token_for(STORE, "POST", "/day/ts")
    box.fill()
    while write(driver, MORE, token)[0] == 200:
        pass
    soon(lambda: told(box, "the disk is full", "Free some space"))
    soon(lambda: told_by_commands(box, "the disk is full"))
    assert driver.call(STORE, "GET", LATEST)[0] == 200, "the reserve lasts for a while"
    box.make_room()
    soon(lambda: write(driver, "again", token)[0] == 200, within=10)
    soon(lambda: well(box))


def test_a_disk_that_can_only_be_read_is_told_and_is_over_by_itself(driver: Spoken) -> None:
    """It became so while the store slept: no file on it was open for writing."""
    box, token = small(driver), driver.token_for(STORE, "POST", "/day/ts")
    soon(lambda: box.states()[STORE] == "asleep", within=15)
    box.mount("ro")
    process = waiting(lambda: write(driver, "kept waiting", token))
    soon(lambda: told(box, "it cannot start", "writable"), within=10)
    box.mount("rw")
    assert process()[0] == 200, "whoever came meanwhile was not lost"
    soon(lambda: well(box))
    assert driver.call(STORE, "GET", LATEST)[0] == 200


def waiting(ask: Callable[[], tuple[int, bytes]]) -> Callable[[], tuple[int, bytes]]:
    """Ask in a thread; gives a function that waits for the answer."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(ask)

    def answer() -> tuple[int, bytes]:
        pool.shutdown()
        return future.result()

    return answer
