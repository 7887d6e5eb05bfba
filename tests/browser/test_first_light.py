"""From an empty folder to a live line, an app, and the end of what it sees, in a real browser."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.box_by_script import box_by_script
from tests.browser.owner import Owner, end

pytestmark = pytest.mark.browser

ADDRESS = "https://example.databox.test/summary"
POINTS = 10
WITHIN = 60.0


@dataclass
class Light:
    """The journey so far. `seconds`: when each step was reached, from the command on."""

    owner: Owner
    seconds: dict[str, float] = field(default_factory=dict)
    stored: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def light(browser: Browser) -> Iterator[Light]:
    """An empty home, the command, the first run, and ten points of a line."""
    with box_by_script() as box:
        began = time.monotonic()
        box.up("--yes")
        light = Light(Owner(browser.new_context(), box))
        light.seconds["address"] = time.monotonic() - began
        light.owner.first_run()
        light.seconds["owner"] = time.monotonic() - began
        light.owner.start_this_computer()
        page = light.owner.page
        page.get_by_role("button", name="Tap to see the stored values").click()
        rows = page.get_by_role("dialog").locator("tbody tr")
        expect(rows.nth(POINTS - 1)).to_be_visible(timeout=30_000)
        light.seconds["ten points"] = time.monotonic() - began
        light.stored = [_cells(row) for row in rows.all()]
        page.keyboard.press("Escape")
        yield light
        assert light.owner.complaints == []
        end(box)


def _cells(row: Locator) -> tuple[str, str]:
    moment = row.locator("time").get_attribute("datetime") or ""
    return moment, row.locator("td").last.inner_text()


def test_ten_points_are_plotted_within_a_minute_of_the_command(light: Light) -> None:
    print(*(f"{step}: {seconds:.1f} s" for step, seconds in light.seconds.items()), sep=", ")
    assert light.seconds["ten points"] < WITHIN


def test_plotted_points_are_readings_a_second_apart(light: Light) -> None:
    moments = sorted({moment for moment, _ in light.stored})
    assert len(moments) >= POINTS
    assert all(0 <= float(value) <= 100 for _, value in light.stored)
    assert len({moment[:19] for moment in moments}) >= POINTS - 1


def test_code_that_made_the_owner_is_gone(light: Light) -> None:
    run = light.owner.box.home / "run"
    assert not (run / "code").exists()
    assert not (run / "open.html").exists()


@dataclass(frozen=True)
class Consent:
    """What the consent screen said. `written`: by how exact; `sending`: with the place allowed."""

    page: str
    headlines: dict[str, str]
    written: dict[str, str]


@pytest.fixture(scope="module")
def consent(light: Light) -> Consent:
    """From the App store to the consent screen; every choice tried, and a careful one taken."""
    page = light.owner.page
    page.get_by_role("link", name="App store").first.click()
    page.get_by_role("link", name="Look at it: Computer graph").click()
    page.get_by_text("What will be written in your History").click()
    text = page.locator("main").inner_text()
    headline = page.get_by_test_id("headline")
    written = page.locator("pre.written")
    headlines = {"at first": headline.inner_text()}
    place = page.get_by_label("May send to example.databox.test")
    place.check()
    headlines["allowed"] = headline.inner_text()
    said = {"allowed": written.inner_text()}
    place.uncheck()
    headlines["denied"] = headline.inner_text()
    sources = page.get_by_role("group", name="Which source")
    sources.nth(1).get_by_label("Memory in use on this computer").check()
    load, memory = (page.get_by_role("group", name="How exact").nth(index) for index in (0, 1))
    memory.get_by_label("Each minute").check()
    for exact in ("Each minute", "Each hour", "Every value"):
        load.get_by_label(exact).check()
        said[exact] = written.inner_text()
    light.owner.agree()
    page.wait_for_url("**/apps/computer-graph")
    return Consent(text, headlines, said)


def test_consent_names_each_thing_that_is_asked_for(consent: Consent) -> None:
    for words in (
        "by Databox · Version 0.1.0",
        "Comes with Databox",
        "Shows how busy this computer is, second by second.",
        "Processor load of this computer",
        "to draw it as a line",
        "Memory in use on this computer",
        "How exact",
        "How far back",
        "Until",
        f"Exact address: {ADDRESS}",
        "none of its code runs in your browser",
    ):
        assert words in consent.page


def test_consent_shows_a_real_value_beside_how_exact(consent: Consent) -> None:
    assert "now " in consent.page.partition("Every value")[2].partition("Each minute")[0]


def test_headline_follows_what_may_be_sent(consent: Consent) -> None:
    assert "stays on your box" in consent.headlines["at first"].lower()
    assert "Sends to example.databox.test" in consent.headlines["allowed"]
    assert "stays on your box" not in consent.headlines["allowed"].lower()
    assert consent.headlines["denied"] == consent.headlines["at first"]


def test_agreement_says_what_was_chosen(consent: Consent) -> None:
    load = {exact: text.splitlines()[1] for exact, text in consent.written.items()}
    for exact in ("Each minute", "Each hour", "Every value"):
        assert f"Processor load of this computer: {exact}," in load[exact]
    final = consent.written["Every value"]
    assert "May see Memory in use on this computer: Each minute," in final
    assert f"May not send to {ADDRESS}." in final
    assert f"May send to {ADDRESS} until" in consent.written["allowed"]


def test_agreement_is_kept_in_the_history_word_for_word(light: Light, consent: Consent) -> None:
    rows = light.owner.client.call("history", query={"kind": "consent", "limit": "1"}).rows
    assert rows[0].entry.event.text == consent.written["Every value"]


def test_grants_are_what_was_chosen_and_no_more(light: Light, consent: Consent) -> None:
    grants = light.owner.client.call("grants").grants
    mine = [grant for grant in grants if grant.client == "computer-graph"]
    assert [grant for grant in mine if grant.kind == "export"] == []
    exact = {grant.source: "granularity >= PT1M" in grant.caveats for grant in mine}
    assert exact == {"cpu-load": False, "memory-used": True}


@dataclass(frozen=True)
class Screen:
    """The app's screen, from the second that it was asked for. `texts`: two, a while apart."""

    page: Page
    seconds: float
    texts: tuple[str, str]
    table: list[str]


@pytest.fixture(scope="module")
def screen(light: Light, consent: Consent) -> Screen:
    """The app's own screen, in a tab of its own that stays open."""
    page = light.owner.page
    began = time.monotonic()
    page.get_by_role("link", name="Open").click()
    line = page.get_by_test_id("series").first
    line.wait_for(timeout=20_000)
    seconds = time.monotonic() - began
    first = line.inner_text()
    newest = line.locator("tbody tr td").first
    before = newest.text_content() or ""
    expect(newest).not_to_have_text(before, timeout=5_000)
    table = line.locator("tbody tr").all_text_contents()
    return Screen(page, seconds, (first, line.inner_text()), table)


def test_screen_of_the_app_shows_live_values(screen: Screen) -> None:
    print(f"first screen of the app: {screen.seconds:.1f} s")
    assert screen.texts[0] != screen.texts[1]
    assert len(screen.table) >= POINTS


def test_screen_is_not_invented(screen: Screen) -> None:
    expect(screen.page.get_by_test_id("invented")).to_have_count(0)
    expect(screen.page.locator("main")).to_contain_text("Stays on your box")


@dataclass(frozen=True)
class Stopped:
    """After "Stop all access". `seconds`: until the app's open screen showed nothing more."""

    toast: str
    seconds: float
    at: int


@pytest.fixture(scope="module")
def stopped(light: Light, screen: Screen) -> Iterator[Stopped]:
    """The owner ends the app's access in another tab, while its screen is open."""
    other = light.owner.another_page()
    other.goto(f"{light.owner.box.address}/apps/computer-graph")
    other.get_by_role("button", name="Stop all access").click()
    button = other.get_by_role("dialog").get_by_role("button", name="Stop all access")
    at, began = int(time.time() * 1000), time.monotonic()
    button.click()
    toast = other.get_by_text("access stopped in").inner_text()
    expect(screen.page.get_by_test_id("series")).to_have_count(0, timeout=5_000)
    yield Stopped(toast, time.monotonic() - began, at)
    other.close()


def test_screen_shows_nothing_soon_after_the_stop(screen: Screen, stopped: Stopped) -> None:
    print(f"screen empty after {stopped.seconds:.2f} s; {stopped.toast}")
    # The screen asks once a second; the reads themselves are refused at once.
    assert stopped.seconds < 2.5
    expect(screen.page.get_by_text("Access was stopped")).to_be_visible()


def test_stop_takes_less_than_a_second_everywhere(stopped: Stopped) -> None:
    took = int(stopped.toast.partition("stopped in ")[2].partition(" ms")[0])
    assert took < 1000


def test_nothing_was_read_from_a_second_after_the_stop(light: Light, stopped: Stopped) -> None:
    time.sleep(max(0.0, 11 - (time.time() - stopped.at / 1000)))
    query = {"component": "computer-graph", "kind": "access", "limit": "100"}
    reads = light.owner.client.call("history", query=query).rows
    late = [row for row in reads if (row.entry.event.latest or 0) > stopped.at + 1000]
    assert [row.sentence for row in late if row.entry.event.operation != "refuse"] == []


def test_grants_are_ended(light: Light, stopped: Stopped) -> None:
    grants = light.owner.client.call("grants").grants
    mine = [grant for grant in grants if grant.client == "computer-graph"]
    assert [grant for grant in mine if grant.ended is None] == []


def test_who_sees_what_says_that_nobody_does(light: Light, stopped: Stopped) -> None:
    light.owner.visit("who")
    expect(light.owner.page.get_by_text("Nobody sees anything.")).to_be_visible()


def test_history_tells_the_story(light: Light, stopped: Stopped) -> None:
    light.owner.visit("history")
    story = light.owner.page.locator("main ol")
    for sentence in (
        "Ana chose what This computer may do",
        "Ana chose what Computer graph may do",
        "Computer graph may no longer see Processor load of this computer: you stopped it",
    ):
        expect(story.get_by_text(sentence).first).to_be_visible()
    expect(story).to_contain_text("of Processor load of this computer today")


def test_nobody_changed_the_history(light: Light, stopped: Stopped) -> None:
    light.owner.visit("history")
    light.owner.page.get_by_role("button", name="Check now").click()
    verdict = light.owner.page.get_by_test_id("verdict")
    expect(verdict).to_contain_text("Nobody changed it.", timeout=20_000)
    expect(verdict).to_contain_text("It still contains the")
