"""Computer graph: a live line of how busy the computer is, and a summary on its way if allowed."""

import time
from typing import Any

from databox.sdk import App, view
from databox.sdk.readings import Readings

app = App(
    "Computer graph",
    purpose="Shows how busy this computer is, second by second",
    author="Databox",
    refresh=1,
)

cpu = app.ask("cpu-load", exact="raw", days=1, why="to draw it as a line")
memory = app.ask("memory-used", exact="raw", days=1, required=False, why="to draw it too")

summaries = app.export(
    "https://example.databox.test/summary",
    why="Sends an hourly summary to a computer that you run",
    what="Four numbers an hour: least, mean and greatest load, and how many readings they sum up",
)


SPANS = {
    "raw": (5, "five minutes"),
    "minute": (120, "two hours"),
    "hour": (1440, "day"),
}
"""How many minutes to show, and their words, for how exact the owner allowed."""


@app.screen
def screen() -> list[Any]:
    """The time just past, in words and as lines; of two sources, what the owner allows."""
    views: list[Any] = []
    if cpu.allowed or not memory.allowed:
        minutes, words = SPANS[cpu.exact]
        recent = cpu.last(minutes=minutes)
        views.append(view.text(sentence(recent, words), style="large"))
        views.append(view.series(recent, title="Processor load", unit="%"))
    if memory.allowed or not cpu.allowed:
        minutes, _ = SPANS[memory.exact]
        used = memory.last(minutes=minutes)
        views.append(view.series(used, title="Memory in use", unit="MiB"))
    if summaries.allowed:
        views.append(view.form("summary", title="Summary", button="Send a summary now"))
    return views


@app.form("summary")
def send_now(_values: dict[str, str]) -> str:
    """Send the last hour's summary because the owner pressed the button."""
    summary = summarise(cpu.last(hours=1))
    if summary is None:
        return "There is nothing to sum up yet."
    sending = summaries.send(summary)
    sending.wait(2)
    return f"The summary was handed over: {sending.state} {sending.status}".strip() + "."


@app.every(hours=1)
def send_hourly() -> None:
    """Send the past hour's summary, if the owner allowed that."""
    if summaries.allowed and cpu.allowed:
        summary = summarise(cpu.last(hours=1))
        if summary is not None:
            summaries.send(summary)


def sentence(readings: Readings, span: str) -> str:
    """What the line says, in words. `span`: the time it covers."""
    mean = readings.mean()
    if mean is None:
        return f"No reading has come in the last {span}."
    newest = readings[-1].value
    return f"This computer is {newest:.0f} % busy, {mean:.0f} % over the last {span}."


def summarise(readings: Readings) -> dict[str, Any] | None:
    """Four numbers that sum up an hour, and when; None if there was no reading."""
    mean, least, most = readings.mean(), readings.min(), readings.max()
    if mean is None:
        return None
    return {
        "hour": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(readings[0].t / 1000)),
        "least": least,
        "mean": round(mean, 1),
        "most": most,
        "readings": sum(reading.weight for reading in readings),
    }


if __name__ == "__main__":
    app.run()
