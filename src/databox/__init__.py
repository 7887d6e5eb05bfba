"""Databox: a personal data box. Each sub-package is one part of the picture in the README."""
