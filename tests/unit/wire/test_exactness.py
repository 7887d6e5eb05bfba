"""How exact: one ladder, one table of words, and distances for places alone."""

import itertools
import json
from typing import get_args

import pytest

from databox.sdk.describe import serving
from databox.sdk.readings import EXACTNESS
from databox.wire import exactness, manifest
from databox.wire.caveats import compile_caveats, exact_caveat
from databox.wire.errors import BadRequest
from databox.wire.exactness import Exactness

ALL: tuple[Exactness, ...] = get_args(Exactness)


def test_every_choice_has_a_caveat_and_words() -> None:
    for exact in ALL:
        assert compile_caveats(exact_caveat(exact)).exactness == exact
        assert exact in exactness.WORDS
    assert set(EXACTNESS.values()) == set(ALL)


def test_windows_divide_one_another() -> None:
    lengths = sorted(exactness.WINDOWS_MS.values())
    assert all(longer % shorter == 0 for shorter, longer in itertools.pairwise(lengths))


@pytest.mark.parametrize(
    ("type_", "exact", "fits"),
    [
        ("location", "1 km", True),
        ("location", "raw", True),
        ("location", "PT1H", False),
        ("cpu-load", "PT1H", True),
        ("cpu-load", "1 km", False),
    ],
)
def test_distances_are_for_places_and_windows_for_the_rest(
    type_: str, exact: Exactness, fits: bool
) -> None:
    asked = {"type": type_, "clientid": "A", "exact": [exact]}
    text = json.dumps({"name": "walks", "datasources": [asked]}).encode()
    if fits:
        assert manifest.decode(text).datasources[0].choices == (exact,)
        return
    with pytest.raises(BadRequest) as caught:
        manifest.decode(text)
    assert caught.value.field == "datasources.exact"


def test_an_ask_that_says_nothing_takes_whatever_fits_its_type() -> None:
    assert manifest.SourceAsk(type="track").choices == ("raw", "100 m", "1 km", "10 km", "100 km")
    assert manifest.SourceAsk(type="cpu-load").choices == ("raw", "PT1M", "PT1H")


def test_what_can_use_the_finer_can_use_the_coarser() -> None:
    assert serving("place", "1 km") == ("1 km", "10 km", "100 km")
    assert serving("cpu-load", "PT1M") == ("PT1M", "PT1H")
    assert serving("cpu-load", "P1D") == ("P1D",)
