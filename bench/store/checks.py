"""What a permission check adds to a request, in this process."""

from bench import tokens
from bench.store import figures
from bench.store.context import Bench
from bench.store.figures import OURS

from databox.kit.http.message import Request

PATH = "/load/ts/latest"


async def token_checks(bench: Bench) -> None:
    """By a token with six caveats: seen before, and new."""
    request = Request("GET", PATH, "", {}, PATH, caller="graph")
    token, warm = tokens.mint(), tokens.guard()
    for _ in range(bench.scale.windows):
        taken = tokens.microseconds(lambda: warm.check(request, token))
        bench.samples[figures.CHECK_WARM].setdefault(OURS, []).append(taken)
        taken = tokens.microseconds(lambda: tokens.guard().check(request, token))
        bench.samples[figures.CHECK_COLD].setdefault(OURS, []).append(taken)
