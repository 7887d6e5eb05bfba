"""Which release this is; a test holds it equal to the project's own file."""

VERSION = "0.1.0"
