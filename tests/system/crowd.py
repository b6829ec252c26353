# SPDX-License-Identifier: MIT
"""Visits all hosts (standard input, one a line) at once, and meanwhile one more, repeatedly: argument, if any. Runs
in the box's network. Prints JSON: milliseconds of each visit from connecting to the end of the answer, in the order
of the hosts, and those of the further host; hosts whose answer was not a page with their name are in "failures". """

import asyncio
import json
import sys
import time

TIMEOUT = 60
PAUSE_SEC = 0.02


async def visit(host, page):
    """Milliseconds, or what was wrong."""
    begin = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", 80)
            writer.write(f"GET /{page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
    except (OSError, TimeoutError) as error:
        return f"{host}: {error!r}"
    if not answer.startswith("HTTP/1.1 200 ") or host.partition(".")[0] not in answer.partition("\r\n\r\n")[2]:
        return f"{host}: {answer!r}"
    return 1000 * (time.monotonic() - begin)


async def again_and_again(host, results):
    while True:
        results.append(await visit(host, "load.txt"))
        await asyncio.sleep(PAUSE_SEC)


async def main(hosts, other):
    others = []
    task = asyncio.create_task(again_and_again(other, others)) if other else None
    begin = time.monotonic()
    results = await asyncio.gather(*(visit(host, "") for host in hosts))
    seconds = time.monotonic() - begin
    if task:
        task.cancel()
    print(json.dumps({"seconds": seconds, "msec": [r for r in results if not isinstance(r, str)],
                      "other_msec": [r for r in others if not isinstance(r, str)],
                      "failures": [r for r in (*results, *others) if isinstance(r, str)]}))


asyncio.run(main(sys.stdin.read().split(), *(sys.argv[1:] or [None])))
