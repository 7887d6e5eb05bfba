"""What a permission check adds to a request: a token seen before, a new one, and minting."""

import json
import statistics
import timeit
from collections.abc import Callable
from contextlib import suppress

from databox.kit.clock import SystemClock
from databox.kit.guard import EndedGrants, Guard
from databox.kit.http.message import Request
from databox.wire import tokens
from databox.wire.caveats import Duty

SECRET = "s" * tokens.SECRET_LENGTH
CAVEATS = (
    "target = os-monitor-store",
    "path = /load/*",
    "method = GET",
    'datasources = ["load"]',
    "startTimestamp >= 1500000000000",
    "time < 4102444800000",
)
WINDOWS = 7


def main() -> None:
    """Print one line a figure, in microseconds."""
    request = Request("GET", "/load/ts/latest", "", {}, "/load/ts/latest", caller="graph")
    token = mint()
    warm = guard()
    show("token.check.warm", lambda: warm.check(request, token), floor=10, aim=1)
    show("token.check.cold", lambda: guard().check(request, token), peer=peer_check(token), aim=30)
    show("token.mint", mint, peer=peer_mint(), aim=50)


def guard() -> Guard:
    """A store's guard that has seen no token yet."""
    ended = EndedGrants(0, ())
    return Guard("os-monitor-store", SECRET, SystemClock(), ended, keeps=tuple(Duty))


def mint() -> str:
    """A token with six caveats, about 300 characters."""
    return tokens.mint(
        SECRET, location="https://arbiter:443", identifier="graph:g1:n", caveats=CAVEATS
    )


def peer_check(token: str) -> Callable[[], object] | None:
    """The signature alone, by pymacaroons, where it is installed."""
    with suppress(ImportError):
        import pymacaroons  # type: ignore[import-untyped]  # it has no types

        verifier = pymacaroons.Verifier()
        verifier.satisfy_general(lambda caveat: True)
        return lambda: verifier.verify(pymacaroons.Macaroon.deserialize(token), SECRET)
    return None


def peer_mint() -> Callable[[], object] | None:
    """Minting by pymacaroons, where it is installed."""
    with suppress(ImportError):
        import pymacaroons

        def minted() -> object:
            macaroon = pymacaroons.Macaroon(location="l", identifier="graph:g1:n", key=SECRET)
            for caveat in CAVEATS:
                macaroon.add_first_party_caveat(caveat)
            return macaroon.serialize()

        return minted
    return None


def show(
    name: str,
    work: Callable[[], object],
    *,
    peer: Callable[[], object] | None = None,
    floor: float | None = None,
    aim: float | None = None,
) -> None:
    """Time both in turns, so that a busy machine slows both alike; print the medians."""
    ours, theirs = [], []
    for _ in range(WINDOWS):
        ours.append(microseconds(work))
        if peer:
            theirs.append(microseconds(peer))
    value = statistics.median(ours)
    baseline = statistics.median(theirs) if theirs else None
    line = {
        "name": name,
        "value": round(value, 3),
        "unit": "us",
        "baseline": baseline and round(baseline, 3),
        "ratio": baseline and round(value / baseline, 3),
        "floor": floor,
        "aim": aim,
    }
    print(json.dumps(line), flush=True)


def microseconds(work: Callable[[], object]) -> float:
    """One call's time, over about 30 ms of calls."""
    once = max(timeit.timeit(work, number=20) / 20, 1e-7)
    number = max(20, int(0.03 / once))
    return timeit.timeit(work, number=number) / number * 1e6


if __name__ == "__main__":
    main()
