"""`python3 -m databox.cli`."""

import sys


def main() -> int:
    """Run one command."""
    print(sys.path, sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
