# SPDX-License-Identifier: ISC
"""Lets a loopback server be reached from elsewhere.

usage: forward.py HOST:PORT TARGET-HOST:PORT
"""
import asyncio
import contextlib
import sys


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def main(here, target):
    async def serve(reader, writer):
        try:
            there = await asyncio.open_connection(*target.split(":"))
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    async with await asyncio.start_server(serve, *here.split(":")) as server:
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
