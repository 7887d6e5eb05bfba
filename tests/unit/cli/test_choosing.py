import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cli.consents import ASK, NOW, PICKED, URL, asking, screen, sending

from databox.cli import choosing, consent
from databox.wire.errors import BadRequest
from databox.wire.sla import Choices, ExportChoice, SourceChoice


@pytest.mark.parametrize(("text", "hours"), [("1h", 1), ("30d", 720), ("2w", 336), ("1y", 8760)])
def test_a_span_is_a_number_and_a_unit(text: str, hours: int) -> None:
    assert choosing.span(text, field="--until") == hours * 3_600_000


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1.5d", "30days", "100000d", "1 d"])
def test_anything_else_is_no_span(text: str) -> None:
    with pytest.raises(BadRequest, match="30d"):
        choosing.span(text, field="--until")


def test_never_is_no_end() -> None:
    assert choosing.until("never", NOW) is None
    assert choosing.until("1h", NOW) == NOW + 3_600_000


@pytest.mark.parametrize(
    ("back", "asked", "days"),
    [(None, None, 0), (None, 7, 7), (None, 365, 0), ("2d", None, 2)],
)
def test_little_history_is_allowed_when_nothing_is_said(
    back: str | None, asked: int | None, days: int
) -> None:
    shown = screen(asks=(msgspec.structs.replace(ASK, far_back=asked),))
    assert choosing.since(back, shown, "LOAD=a-store/b", NOW) == NOW - days * choosing.DAY


def test_everything_stored_is_allowed_only_when_said() -> None:
    assert choosing.since("all", screen(), "LOAD=a-store/b", NOW) is None


def test_a_source_answers_an_ask() -> None:
    found = choosing.source_choice(
        "LOAD=os-monitor-store/cpu-load", screen(), exact="minute", since=None, end=NOW
    )
    assert found == SourceChoice(
        clientid="LOAD", store="os-monitor-store", source="cpu-load", exact="PT1M", until=NOW
    )


def test_members_are_named_with_commas_between() -> None:
    found = choosing.source_choice(
        "LOAD=a-store/b", screen(), exact="10km", since=None, end=None, fields="lat,lon"
    )
    assert (found.exact, found.fields) == ("10 km", ("lat", "lon"))


def test_how_exact_is_the_finest_asked_when_unsaid() -> None:
    found = choosing.source_choice("LOAD=a-store/b", screen(), exact=None, since=None, end=None)
    assert found.exact == "raw"


@pytest.mark.parametrize("words", ["LOAD", "LOAD=", "LOAD=store", "LOAD=store/", "LOAD=/cpu"])
def test_words_of_another_form_are_refused_with_an_example(words: str) -> None:
    with pytest.raises(BadRequest, match="CLIENTID=STORE/SOURCE"):
        choosing.source_choice(words, screen(), exact=None, since=None, end=None)


def test_an_unknown_ask_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(BadRequest, match="It asks for: LOAD"):
        choosing.source_choice("X=a/b", screen(), exact=None, since=None, end=None)


def test_present_choices_are_those_in_force() -> None:
    allowed = ExportChoice(url=URL, allowed=True, until=NOW + 1)
    shown = screen(asks=(asking(PICKED),), exports=(sending(allowed),))
    assert choosing.present_choices(shown) == Choices(sources=(PICKED,), exports=(allowed,))


def test_what_is_not_allowed_is_no_present_choice() -> None:
    assert choosing.present_choices(screen()) == Choices()


def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    finer = SourceChoice(clientid="LOAD", store="os-monitor-store", source="cpu-load", exact="PT1M")
    assert choosing.with_source(Choices(sources=(PICKED,)), finer).sources == (finer,)
    once = choosing.with_export(Choices(), URL, None)
    assert choosing.with_export(once, URL, NOW).exports == (
        ExportChoice(url=URL, allowed=True, until=NOW),
    )


exactness = st.sampled_from(["raw", "PT1M", "PT1H"])
choice = st.builds(
    SourceChoice,
    clientid=st.sampled_from(["LOAD", "OTHER"]),
    store=st.sampled_from(["os-monitor-store", "x-store"]),
    source=st.sampled_from(["cpu-load", "y"]),
    exact=exactness,
)


@given(st.lists(choice, max_size=4))
def test_loading_anew_never_allows_what_was_not_allowed_and_asked(
    choices: list[SourceChoice],
) -> None:
    before = Choices(sources=tuple(choices))
    after = choosing.still_asked(before, screen()).sources
    assert set(after) <= set(choices)
    assert all(each.clientid == "LOAD" and each.exact in ASK.exact for each in after)


def test_the_text_says_each_ask_with_its_answer() -> None:
    text = consent.text(screen(), Choices())
    assert "LOAD: may see cpu-load (to draw it): not allowed" in text
    assert f"leaves the box to {URL}: not allowed" in text
    given_ = Choices(sources=(PICKED,), exports=(ExportChoice(url=URL, allowed=True, until=NOW),))
    text = consent.text(screen(), given_)
    assert "os-monitor-store/cpu-load, every value, until stopped" in text
    assert f"leaves the box to {URL}: allowed until 2023-11-14 22:13 UTC" in text
