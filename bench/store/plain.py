"""What one might have done instead: rows in SQLite, or DuckDB, in the program itself.

No server, no encryption, no permission and no record of who looked. Runs as a program of its own,
with packages that the box does not have: `plain.py sqlite|duckdb FOLDER`. In FOLDER are the points,
as `times` (int64, ms) and `values` (float64); the figures are printed as JSON, by goal.
"""

import json
import sqlite3
import statistics
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

BATCH = 10_000
SINGLE = 300
HOUR = 3_600_000
DAY = 24 * HOUR
TRIES = 3

Point = tuple[int, float]


class Rows(Protocol):
    """A table of points. Each write is durable when it returns."""

    def write(self, points: Sequence[Point]) -> None:
        """Add points."""
        ...

    def ask(self, query: str) -> list[Any]:
        """The rows of a query."""
        ...

    def close(self) -> None:
        """Have everything in its file."""
        ...


class Sqlite:
    """Rows by time, in write-ahead mode, each commit synced."""

    hour = f"t / {HOUR}"
    p95 = None

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE point (t INTEGER PRIMARY KEY, value REAL)")

    def write(self, points: Sequence[Point]) -> None:
        """Add points."""
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO point VALUES (?, ?)", points)

    def ask(self, query: str) -> list[Any]:
        """The rows of a query."""
        return self._connection.execute(query).fetchall()

    def close(self) -> None:
        """Have everything in its file."""
        self._connection.close()


class Duck:
    """DuckDB on one thread, with the memory it likes."""

    hour = f"t // {HOUR}"
    p95 = "quantile_cont(value, 0.95)"

    def __init__(self, path: Path) -> None:
        import duckdb  # type: ignore[import-not-found]  # in the measurement's own folder

        self._connection = duckdb.connect(str(path), config={"threads": 1})
        self._connection.execute("CREATE TABLE point (t BIGINT, value DOUBLE)")

    def write(self, points: Sequence[Point]) -> None:
        """Add points."""
        columns = [list(each) for each in zip(*points, strict=True)]
        self._connection.execute("INSERT INTO point SELECT unnest(?), unnest(?)", columns)

    def ask(self, query: str) -> list[Any]:
        """The rows of a query."""
        return list(self._connection.execute(query).fetchall())

    def close(self) -> None:
        """Have everything in its file."""
        self._connection.close()


def main(words: list[str]) -> None:
    """Print the figures."""
    kind, folder = words[0], Path(words[1])
    times, values = read(folder / "times", "q"), read(folder / "values", "d")
    file = folder / f"{kind}.file"
    rows = Sqlite(file) if kind == "sqlite" else Duck(file)
    found = {"post": [waiting(lambda: rows.write([(now(), 21.5)])) for _ in range(SINGLE)]}
    found["post"] = [statistics.median(found["post"])]
    before = time.process_time()
    for points in batches(times, values):
        rows.write(points)
    found["ingest"] = [len(times) / (time.process_time() - before)]
    found |= {name: tries(ask) for name, ask in asking(rows, times)}
    rows.close()
    size = sum(path.stat().st_blocks * 512 for path in folder.glob(f"{kind}.file*"))
    print(json.dumps(found | {"size": [size / len(times)]}))


def asking(rows: Any, times: Sequence[int]) -> Iterator[tuple[str, Callable[[], object]]]:
    """The queries, by name."""
    first, end = times[0], times[-1] + 1
    middle = (first + end) // 2
    tenth = f"WHERE t >= {middle} AND t < {middle + (end - first) // 10}"
    day = f"WHERE t >= {end - DAY} AND t < {end}"
    all_hours = f"WHERE t >= {first} AND t < {end}"
    four = "min(value), max(value), avg(value), count(value)"

    def hours(what: str, where: str) -> Callable[[], object]:
        query = f"SELECT {rows.hour} AS hour, {what} FROM point {where} GROUP BY hour ORDER BY hour"
        return lambda: json.dumps(rows.ask(query))

    yield "range", lambda: json.dumps(rows.ask(f"SELECT t, value FROM point {tenth} ORDER BY t"))
    yield "hours-day", hours(four, day)
    yield "hours-all", hours(four, all_hours)
    if rows.p95:
        yield "p95-day", hours(rows.p95, day)
        yield "p95-all", hours(rows.p95, all_hours)


def read(path: Path, kind: str) -> Sequence[Any]:
    """A file of numbers."""
    numbers = array(kind)
    numbers.frombytes(path.read_bytes())
    return numbers


def batches(times: Sequence[int], values: Sequence[float]) -> Iterator[list[Point]]:
    """The points in parts."""
    for start in range(0, len(times), BATCH):
        part = slice(start, start + BATCH)
        yield list(zip(times[part], values[part], strict=True))


def now() -> int:
    """Unix time in microseconds: each of the single points has its own."""
    return time.time_ns() // 1000


def tries(ask: Callable[[], object]) -> list[float]:
    """What each of some tries takes, ms."""
    return [waiting(ask) for _ in range(TRIES)]


def waiting(work: Callable[[], object]) -> float:
    """What one call takes, ms."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main(sys.argv[1:])
