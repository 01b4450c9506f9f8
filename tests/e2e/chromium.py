"""A browser without a window, spoken to by the DevTools protocol."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--hide-scrollbars",
    "--no-first-run",
    "--autoplay-policy=user-gesture-required",
    "--remote-debugging-port=0",
)
_PATIENCE = 20.0  # s
_CODES = {" ": "Space", "/": "Slash", "?": "Slash"}
_NUMBERS = {"Tab": 9, "Escape": 27, "End": 35}  # of keys that act by themselves


def program() -> str:
    """The browser of this machine; empty if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


class Browser:
    """One page of a browser of its own."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = subprocess.Popen(
            [program(), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = folder / "DevToolsActivePort"
        until(lambda: port.is_file() and "\n" in port.read_text())
        self.events: list[dict[str, Any]] = []
        self._replies: dict[int, dict[str, Any]] = {}
        self._number = 0
        self._loop.run_until_complete(self._connect(port.read_text().split()[0]))
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """The browser is gone."""
        self._loop.run_until_complete(self._session.close())
        self._process.terminate()
        self._process.wait()
        self._loop.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers; events that come meanwhile are kept."""
        return self._loop.run_until_complete(self._call(method, parameters))

    def script(self, text: str) -> Any:
        """The value of an expression, awaited."""
        made = self.call("Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in made, made["exceptionDetails"]
        return made["result"].get("value")

    def open(self, address: str, width: int = 1400, height: int = 900, *, dark: bool = False) -> None:
        """The page at an address, loaded; motion is reduced."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )
        self.events.clear()
        self.call("Page.navigate", url=address)
        until(lambda: self.script("document.readyState === 'complete' && location.href") == address)

    def press(self, key: str) -> None:
        """A key goes down and up."""
        known = {"key": key, "code": _CODES.get(key, f"Key{key.upper()}" if len(key) == 1 else key)}
        written = {"text": key} if len(key) == 1 else {"windowsVirtualKeyCode": _NUMBERS[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **known, **written)
        self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def click(self, pick: str) -> None:
        """A mouse click in the middle of the element."""
        box = self.script(
            f"(() => {{ const e = document.querySelector({json.dumps(pick)}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def complaints(self) -> list[str]:
        """What was logged or thrown, by the page or by the browser about it."""
        kinds = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        return [json.dumps(event["params"]) for event in self.events if event["method"] in kinds]

    def requests(self) -> list[str]:
        """The addresses that were asked for, but for those inside the page itself."""
        asked = [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith("data:")]

    async def _connect(self, port: str) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = await answer.json()
        address = next(page for page in pages if page["type"] == "page")["webSocketDebuggerUrl"]
        self._socket = await self._session.ws_connect(address, max_msg_size=0)

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        mine = self._number
        await self._socket.send_json({"id": mine, "method": method, "params": parameters})
        while mine not in self._replies:
            message = json.loads((await self._socket.receive(_PATIENCE)).data)
            if "id" in message:
                assert "error" not in message, (method, message)
                self._replies[message["id"]] = message["result"]
            else:
                self.events.append(message)
        return self._replies.pop(mine)


def until(true: Callable[[], object], seconds: float = _PATIENCE) -> None:
    """Wait for it."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)
