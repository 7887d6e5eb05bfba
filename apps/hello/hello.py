"""Hello: at which hours of the day this computer is on."""

from databox.sdk import App, view

app = App("Hello", purpose="Shows at which hours of the day this computer is on.")
load = app.ask(
    "cpu-load", exact="minute", days=30, why="to count how often it comes by hour of day"
)


@app.screen
def screen():
    return view.bars(load.count(by="hour of day"), title="Readings by hour of day")


app.run()
