"""Starts a box in which modules of a test stand in for some of its parts.

    python -P box_with_stand_ins.py --home DIR --folder DIR PART=MODULE ...

The modules lie in `folder`, which becomes a place that Python loads from, with whatever else they
read when they are loaded. `store` stands for all stores. Everything else is the box as it is: the
product itself has no switch that would let anybody do this.
"""

import argparse
import sys
from pathlib import Path

from databox.box import service, specs, stores
from databox.wire.errors import DataboxError

STORE = "store"


def put_in_place(stand_ins: dict[str, str]) -> None:
    """Have the box run these modules, by the name of their part."""
    for part, module in stand_ins.items():
        if part == STORE:
            stores.MODULE = module
        else:
            specs.MODULES[part] = module
    specs.PRELOADED = (*specs.MODULES.values(), stores.MODULE)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("stand_ins", nargs="*")
    words = parser.parse_args()
    sys.path.insert(0, str(words.folder))
    put_in_place(dict(each.split("=", 1) for each in words.stand_ins))
    try:
        return service.main(words.home, 0, lambda address, _code: print(address, flush=True))
    except DataboxError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
