"""The store and the plain model, driven by the same random hand, never differ."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.model import generated, sizes
from tests.model.machine import StoreMachine, counted

from databox.kit import database

OFTEN, FEW = 100, 20
AT_ONCE = 500
pytestmark = pytest.mark.timeout(600)
LONG = [pytest.mark.slow, pytest.mark.timeout(4 * 3600)]


def drive(runs: int, *, steps: int = 30, again: bool) -> None:
    """That many runs; `again`: the same ones each time, and no search for the shortest failure."""
    counted.clear()
    while counted["runs"] < runs:
        # Hypothesis remembers every run of a search, which takes half a megabyte for each.
        _search(min(runs, AT_ONCE), steps=steps, again=again)


def _search(runs: int, *, steps: int, again: bool) -> None:
    phases = [Phase.generate] if again else list(Phase)
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            derandomize=again,
            deadline=None,
            database=None,
            print_blob=True,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("runs", [OFTEN, pytest.param(10_000, marks=LONG)])
def test_the_store_never_differs_from_the_model(
    runs: int, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    sizes.make_small(monkeypatch)
    drive(runs, again=runs == OFTEN)
    assert counted["runs"] >= runs
    tell("store against model: " + ", ".join(f"{n} {what}" for what, n in counted.items()))


@pytest.mark.parametrize("runs", [FEW, pytest.param(500, marks=LONG)])
def test_nor_does_it_with_blocks_of_their_real_size(
    runs: int, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    monkeypatch.setattr(generated, "scale", [40])
    drive(runs, steps=10, again=runs == FEW)
    tell("the same with whole blocks: " + ", ".join(f"{n} {what}" for what, n in counted.items()))


def test_a_store_that_does_not_sync_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes.make_small(monkeypatch)
    monkeypatch.setattr(database, "_SETTINGS", (("synchronous", "normal"),))
    with pytest.raises(AssertionError):
        drive(OFTEN, again=True)
