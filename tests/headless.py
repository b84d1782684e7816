"""A headless Chromium, spoken to over a pipe, without any package: what a page does."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 60  # seconds for one answer


def find() -> str | None:
    """The program, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser. ``events`` is what it reported since the last `visit`."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._buffer, self._count = write, read, b"", 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """The result of a command."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            self.events.append(answer)
        assert "result" in answer, answer
        return answer["result"]

    def _next(self) -> Any:
        while b"\0" not in self._buffer:
            assert select([self._read], [], [], _PATIENCE)[0], "the browser does not answer"
            more = os.read(self._read, 1 << 20)
            assert more, "the browser has ended"
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def visit(self, page: Path, width: int, scheme: str) -> None:
        """Show a page in a window of that width, light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def ask(self, expression: str) -> Any:
        """The value of an expression on the page, by the browser itself: no policy forbids that."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self.call("Browser.close")

    def picture(self, path: Path) -> None:
        """Write the whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        found = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Browser]:
    """Start a browser whose profile is in the folder, and end it."""
    to_browser, to_us = os.pipe(), os.pipe()
    # It reads from descriptor 3 and writes to 4, whatever stood there.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 64) for end in (to_browser[0], to_us[1])]
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--remote-debugging-pipe", "--no-first-run", "--disable-extensions",
        f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    silent = [(os.POSIX_SPAWN_OPEN, k, os.devnull, os.O_RDWR, 0) for k in range(3)]
    placed = [(os.POSIX_SPAWN_DUP2, end, k) for k, end in enumerate(ends, 3)]
    pid = os.posix_spawn(program, command, os.environ, file_actions=[*silent, *placed])
    for end in (*ends, to_browser[0], to_us[1]):
        os.close(end)
    try:
        one = Browser(to_browser[1], to_us[0])
        yield one
        one.close()
    finally:
        os.close(to_browser[1])  # at which it ends
        os.close(to_us[0])
        _await(pid)


def _await(pid: int) -> None:
    """Wait until a process has ended, and end it if it does not."""
    deadline = time.monotonic() + _PATIENCE
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(0.05)
