"""The pretended box that tests of apps run on."""

from databox.sdk.testing import box

__all__ = ["box"]
