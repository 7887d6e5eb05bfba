"""Words that the box and the parts it composes share: names of settings, and folders in a part.

Apart from them, because the box loads this and not the parts' own code.
"""

from pathlib import Path

VERSION, STARTED = "version", "started"
CLEANLY, AFTER_A_FALL, STILL = "cleanly", "after a fall", "still"
"""What the box says of itself: it began after a good end, or after none; or runs all the while."""

RELEASE = Path("/release")
KINDS = ("drivers", "apps")
"""Where the manager finds the release's packages."""
