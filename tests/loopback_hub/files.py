"""A file as an answer: whole or a range of it, or broken off where a test wants that."""

import re
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web


async def sent(request: web.Request, path: Path, headers: Mapping[str, str]) -> web.StreamResponse:
    """The file, or the bytes that `Range` asks for; the connection breaks after `cut` of them if that is set."""
    total = path.stat().st_size
    start, end, status = 0, total, 200
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    extra = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    if asked and asked[0] != "bytes=-":
        start, end, status = *_span(asked[1], asked[2], total), 206
        if start >= total:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{total}"})
        extra["Content-Range"] = f"bytes {start}-{end - 1}/{total}"
    answer = web.StreamResponse(
        status=status, headers={**headers, **extra, "Content-Length": str(end - start)}
    )
    await answer.prepare(request)
    if request.method == "HEAD":
        return answer
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(end - start)
    if request["cut"] is not None:
        await answer.write(data[: request["cut"]])
        assert request.transport
        request.transport.abort()
        return answer
    await answer.write(data)
    await answer.write_eof()
    return answer


def _span(first: str, last: str, total: int) -> tuple[int, int]:
    """Half-open, of a file of so many bytes."""
    if not first:
        return max(total - int(last), 0), total
    return int(first), min(int(last) + 1, total) if last else total
