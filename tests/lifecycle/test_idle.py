# SPDX-License-Identifier: MIT
"""An instance that nobody needs exits, and comes back without anybody noticing."""


def test_idle_instance_exits_and_comes_back(box, carol):
    box.write_instance(carol, "Host=carol.example\nIdleSec=1s\n")
    box.start_customer(carol)
    box.curl("https://carol.example/")
    box.wait_for("carol's instance exits", lambda: box.show("bellhop@carol.service", "ActiveState") == "inactive")
    assert box.show("bellhop@carol.service", "Result") == "success"
    assert "(carol)" in box.curl("https://carol.example/")
