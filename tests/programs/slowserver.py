"""A server whose requests wait for a slow database or compute, and its own account of both.

When asked (a line on standard input) it starts clients in another process, serves them until they are
done, and says: how many requests waited at the line marked "database", how long each did on average,
the longest, how many at once; and how long it computed.

Arguments: "client", the port, clients, requests of each. Without: be the server.
"""

import asyncio
import os
import random
import subprocess
import sys
import time

from truth import lines_marked, ready, say

CLIENTS = 20
REQUESTS = 12
PAUSE = 0.03  # of a client between two requests
CRUNCH = 0.004

clock = time.perf_counter


class Database:
    """Answers late, and knows how late."""

    def __init__(self):
        self.waits = []
        self.now = 0
        self.most = 0

    async def fetch(self):
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        begin = clock()
        loop.call_later(random.uniform(0.04, 0.12), answer.set_result, None)
        self.now += 1
        self.most = max(self.most, self.now)
        await answer  #@ database
        self.now -= 1
        self.waits.append(clock() - begin)


def crunch(account):
    begin = clock()
    while clock() < begin + CRUNCH:
        pass
    account["crunched"] += clock() - begin


async def page_of_database(database, account):
    await database.fetch()


async def page_of_numbers(database, account):
    crunch(account)


PAGES = {b"database\n": page_of_database, b"numbers\n": page_of_numbers}


async def serve(database, account, reader, writer):
    while True:
        request = await reader.readline()
        if not request:
            break
        await PAGES[request](database, account)
        writer.write(b"done\n")
        await writer.drain()
    writer.close()


async def serve_clients(database, account):
    server = await asyncio.start_server(
        lambda reader, writer: serve(database, account, reader, writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    command = [sys.executable, os.path.abspath(__file__), "client", str(port)]
    clients = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while clients.poll() is None:
        await asyncio.sleep(0.01)
    server.close()
    await asyncio.sleep(0.05)  # the connections end


async def main():
    database, account = Database(), {"crunched": 0.0}
    ready(line=lines_marked(__file__)["database"])
    await asyncio.get_running_loop().run_in_executor(None, os.read, 0, 100)
    begin = clock()
    await serve_clients(database, account)
    waits = sorted(database.waits)
    say("DONE", waits=len(waits), mean=sum(waits) / len(waits), longest=waits[-1],
        p95=waits[len(waits) * 95 // 100], most=database.most, crunched=account["crunched"],
        elapsed=clock() - begin)
    await asyncio.get_running_loop().run_in_executor(None, os.read, 0, 100)


# -- the clients ------------------------------------------------------------------------------------


async def client(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for i in range(REQUESTS):
        writer.write(b"numbers\n" if (number + i) % 4 == 0 else b"database\n")
        if not await reader.readline():
            break
        await asyncio.sleep(PAUSE)
    writer.close()


async def be_clients(port):
    await asyncio.gather(*[client(port, number) for number in range(CLIENTS)])


if __name__ == "__main__":
    asyncio.run(be_clients(int(sys.argv[2])) if sys.argv[1:2] == ["client"] else main())
