"""Operating system monitor: once a second, how busy this computer is."""

from computer import Ticks, load, load_average, memory, ticks

from databox.sdk import Driver

driver = Driver(
    "Operating system monitor",
    name="os-monitor",
    purpose="Measures how busy this computer is, once a second",
    author="Databox",
    proc=True,
)

cpu = driver.source("cpu-load", unit="%", description="Processor load of this computer")
average = driver.source("load-average", description="Programs that wanted to run, over a minute")
used = driver.source("memory-used", unit="MiB", description="Memory in use on this computer")
free = driver.source("memory-free", unit="MiB", description="Memory free on this computer")


class Look:
    """What the last look at the processors saw, to compare the next one with."""

    last: Ticks | None = None


@driver.every(seconds=1)
def sample() -> None:
    """Look once and write what is seen."""
    now = ticks(read("stat"))
    percent = load(Look.last, now) if Look.last else None
    Look.last = now
    if percent is not None:
        cpu.write(percent)
    average.write(load_average(read("loadavg")))
    sizes = memory(read("meminfo"))
    used.write(sizes.used)
    free.write(sizes.free)


def read(name: str) -> str:
    """The text of a file in `/proc`."""
    with open(f"/proc/{name}") as file:  # noqa: PTH123 - pathlib would cost a tenth of the memory
        return file.read()


if __name__ == "__main__":
    driver.run()
