# SPDX-License-Identifier: MIT
"""What instances run with, for an Apache that listens by itself, so that all else is the same."""

OURS = ("LoadModule bellhop_module", "Bellhop", "CustomLog journal:")


def without_hand_off(instance_conf):
    """The lines of instance.conf but those of mod_bellhop."""
    return [line for line in instance_conf.splitlines() if not line.lstrip().startswith(OURS)]
