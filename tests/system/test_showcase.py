# SPDX-License-Identifier: MIT
"""Everything that ./try shows, in its order: the first ones need a machine that nobody has visited yet."""

import pytest
import showcase


@pytest.mark.parametrize("show", [show for _, show in showcase.SHOWS], ids=lambda show: show.__name__)
def test_show(box, show):
    print(show(box))
