"""Hypothesis profiles: ``ci`` repeats the same examples, ``nightly`` looks for new ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A loaded machine draws slowly; that says nothing about the library.
settings.register_profile(
    "ci",
    max_examples=25,
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly", settings.get_profile("ci"), derandomize=False, max_examples=2000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
