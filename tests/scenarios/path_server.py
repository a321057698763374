"""A small app for Locust files: what a path begins with says how it is answered."""

from __future__ import annotations

import asyncio
import re
import time

from tests.scenarios.scripted_server import BODY, ScriptedServer, answer

CPU_S = 0.01


class PathServer(ScriptedServer):
    """Keeps the ids it saw, the paths of numbered requests, and those of all others."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []
        self.unnumbered: list[str] = []

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"\r\ncontent-length: (\d+)\r\n", head, re.IGNORECASE)
                await reader.readexactly(int(length[1]) if length else 0)
                await self._answer(head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        path = head.split(" ")[1]
        if path.startswith(("/.harness/", "/health/")):
            writer.write(self._unnumbered(head.encode()))
            return
        if found := re.search(r"\r\nx-harness-id: (\d+)\r\n", head):
            self.ids.append(int(found[1]))
            self.paths.append(path)
        else:
            self.unnumbered.append(path)
        match path.split("/")[1]:
            case "missing":
                writer.write(answer(b"no", status="404 Not Found"))
            case "boom":
                writer.write(answer(b"oops", status="500 Internal Server Error"))
            case "redirect":
                writer.write(answer(b"", status="302 Found", headers="location: /there\r\n"))
            case "slow":
                await asyncio.sleep(0.3)
                writer.write(answer(BODY))
            case "hang":
                await self._stopped.wait()
            case "close":
                writer.close()
            case "compute":
                until_s = time.thread_time() + CPU_S
                while time.thread_time() < until_s:
                    pass
                writer.write(answer(BODY))
            case _:
                writer.write(answer(BODY))
