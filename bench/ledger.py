"""What a long ledger costs: who read what, proofs, and checks of every line.

Lines as a busy month has them: 20 apps read 10 sources, stores report once a minute. Answers and
proofs are the median of several. With a number, that many lines: 1000000 take minutes to write.
"""

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from databox.kit.clock import FixedClock
from databox.kit.database import open_database, transaction
from databox.ledger import tree
from databox.ledger.bundle import Marks, last_line, verify_bundle
from databox.ledger.chain import Ledger
from databox.ledger.check import verify
from databox.ledger.reads import Asked
from databox.ledger.signing import Signer
from databox.wire.ledger import Access

KEY = bytes(range(32))
LINES = 50_000
DAY = 86_400_000
BEGAN = 1_790_000_000_000
STEP = 2_592
"""Milliseconds between two lines: a million of them are thirty days."""
A_BATCH = 5000


def main() -> None:
    """Make the ledger, then ask it."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    million = lines / 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "authority.db"
        ledger = Ledger(open_database(path, KEY), KEY, clock := FixedClock(BEGAN))
        took = once(lambda: fill(ledger, clock, lines))
        size = sum(each.stat().st_size for each in Path(folder).iterdir())
        show("ledger.append", took / lines)
        show("ledger.line", size / lines, unit="B")
        answers(ledger, clock)
        proofs(ledger, lines)
        floor, aim = 3000 * million, 500 * million
        show("ledger.check.cpu", busy(lambda: check(ledger)), floor=floor, aim=aim)
        bundle = list(saved(ledger, lines))
        key = ledger.public_key
        show("ledger.check.saved.cpu", busy(lambda: sound(bundle, key)), floor=floor, aim=aim)


def fill(ledger: Ledger, clock: FixedClock, lines: int) -> None:
    """Write the lines."""
    luck = random.Random(1)
    for start in range(0, lines, A_BATCH):
        with transaction(ledger._connection):
            for _ in range(min(A_BATCH, lines - start)):
                ledger.append("a-store", [access(luck, clock.now())])
                clock.advance(STEP)


def access(luck: random.Random, now: int) -> Access:
    """What some store tells once a minute."""
    source = luck.randrange(10)
    items = luck.randrange(1, 60)
    return Access(
        store=f"driver-{source // 3}-store", client=f"app-{luck.randrange(20)}", user="",
        source=f"source-{source}", exact=luck.choice(("raw", "PT1M")), operation="read",
        count=luck.randrange(1, 60), items=items, size=items * 31, earliest=now - 60_000,
        latest=now, label=f"Source {source}",
    )  # fmt: skip


def answers(ledger: Ledger, clock: FixedClock) -> None:
    """Who read what, for several choices."""
    now = clock.now()
    odd = now - 20 * DAY - 12_345_678
    for name, asked in (
        ("everybody.ever", Asked()),
        ("app.ever", Asked(component="app-3")),
        ("source.ever", Asked(store="driver-1-store", source="source-4")),
        ("everybody.days", Asked(since=odd, until=now - DAY // 3)),
        ("app.days", Asked(component="app-3", since=odd, until=now - DAY // 3)),
        ("app.today", Asked(component="app-3", since=now - DAY)),
    ):
        show(f"ledger.reads.{name}", often(partial(ledger.reads, asked)), floor=100, aim=10)


def proofs(ledger: Ledger, lines: int) -> None:
    """Checkpoint, inclusion, consistency."""
    luck = random.Random(2)
    show("ledger.checkpoint", often(ledger.checkpoint), aim=1)
    entry = often(lambda: ledger.inclusion(luck.randrange(lines), lines))
    show("ledger.inclusion", entry, aim=1)
    since = often(lambda: ledger.consistency(luck.randrange(1, lines), lines))
    show("ledger.consistency", since, aim=1)


def check(ledger: Ledger) -> None:
    """The box's own check."""
    assert verify(ledger).ok


def saved(ledger: Ledger, lines: int) -> list[bytes]:
    """The ledger as a file to take away."""
    found, marks, growing = [], Marks(), tree.Growing()
    for batch in ledger.lines():
        for line in batch:
            found.append(line.leaf + b"\n")
            marks.add(line.hash)
            growing.add(line.hash)
    checkpoint = Signer(KEY).checkpoint(lines, growing.root(), BEGAN)
    return [*found, last_line(checkpoint, marks)]


def sound(bundle: list[bytes], key: bytes) -> None:
    """The check without the box."""
    assert verify_bundle(bundle, key).ok


def once(work: Callable[[], object]) -> float:
    """Milliseconds for one run."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def busy(work: Callable[[], object]) -> float:
    """Milliseconds of the processor for one run: other work on the machine does not count."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def often(work: Callable[[], object], times: int = 9) -> float:
    """The median of several runs, in milliseconds."""
    return statistics.median(once(work) for _ in range(times))


def show(name: str, value: float, *, unit: str = "ms", floor: float = 0, aim: float = 0) -> None:
    """One figure; `floor` and `aim` are the most it may cost."""
    line: dict[str, object] = {"name": name, "value": round(value, 3), "unit": unit}
    line |= {key: round(most) for key, most in (("floor", floor), ("aim", aim)) if most}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
