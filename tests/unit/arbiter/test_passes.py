"""Tokens of our own parts are counted, those of apps and drivers are written one by one."""

from databox.arbiter.passes import MAX_KINDS, WINDOW_MS, Passes
from databox.kit.clock import FixedClock
from databox.wire.ledger import TokenMinted


def minted(client: str = "gateway", path: str = "/api/history", count: int = 1) -> TokenMinted:
    return TokenMinted(
        grant="user", client=client, target="ledger", method="GET", path=path, count=count
    )


def test_tokens_of_an_app_are_written_one_by_one() -> None:
    written: list[TokenMinted] = []
    passes = Passes(FixedClock(), written.append)
    for _ in range(3):
        passes.note(minted("graph"))
    passes.finish()
    assert written == [minted("graph")] * 3


def test_equal_tokens_of_a_part_are_two_lines_an_hour() -> None:
    written: list[TokenMinted] = []
    clock = FixedClock()
    passes = Passes(clock, written.append)
    for _ in range(12):
        passes.note(minted())
        clock.advance(WINDOW_MS // 12)
        passes.flush()
    assert written == [minted(), minted(count=11)]


def test_another_kind_is_written_at_once() -> None:
    written: list[TokenMinted] = []
    passes = Passes(FixedClock(), written.append)
    passes.note(minted())
    passes.note(minted(path="/api/grants"))
    assert written == [minted(), minted(path="/api/grants")]


def test_what_was_counted_is_written_before_the_end() -> None:
    written: list[TokenMinted] = []
    passes = Passes(FixedClock(), written.append)
    for _ in range(3):
        passes.note(minted())
    passes.finish()
    assert written == [minted(), minted(count=2)]


def test_no_token_is_lost_however_many_kinds_there_are() -> None:
    written: list[TokenMinted] = []
    passes = Passes(FixedClock(), written.append)
    for number in range(MAX_KINDS + 5):
        passes.note(minted(path=f"/{number}"))
        passes.note(minted(path=f"/{number}"))
    passes.finish()
    assert sum(event.count for event in written) == 2 * (MAX_KINDS + 5)
