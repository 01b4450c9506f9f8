"""The way to every answer: the faults that a test has asked for, the token, and a note of what was asked."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.loopback_hub.faults import Asked, Fault, Faults
from tests.loopback_hub.store import Refused, Store

SIGNATURE = "signed-for-one-request"  # in the addresses that large files are sent to and fetched from
_BODIES = {"POST", "PUT"}
_OPEN = {"lfs-put", "large"}  # the address is the permission

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Guarded:
    """Leads to handlers that are named as their routes are; `page` is how many entries one answer lists."""

    store: Store
    token: str
    faults: Faults
    url: str = ""
    large_url: str = ""
    page: int = 1000
    asked: list[Asked] = field(default_factory=list)

    def application(self) -> web.Application:
        """All of them, each behind the faults and the token."""
        application = web.Application(client_max_size=1 << 30, handler_args={"access_log": None})
        for route, method, path in _routes():
            handler = self._guarded(route, getattr(self, route.replace("-", "_")))
            application.router.add_route(method, path, handler)
            if method == "GET":
                application.router.add_route("HEAD", path, handler)
        return application

    def _guarded(self, route: str, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            fault = self.faults.take(route)
            try:
                answer = await self._faulty(request, route, handler, fault)
            except Refused as refused:
                headers = (
                    {"X-Error-Code": refused.code, "X-Error-Message": refused.message} if refused.code else {}
                )
                answer = web.json_response({"error": refused.message}, status=refused.status, headers=headers)
            self._note(request, route, answer.status)
            return answer

        return guarded

    async def _faulty(
        self, request: web.Request, route: str, handler: Handler, fault: Fault | None
    ) -> web.StreamResponse:
        request["cut"] = fault.cut if fault else None
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault and fault.first:
            await asyncio.to_thread(fault.first)
        if fault and fault.status:
            wait = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return web.json_response({"error": "busy"}, status=fault.status, headers=wait)
        if fault and fault.cut is not None and request.method in _BODIES:
            await request.content.read(max(fault.cut, 1))
            return _broken(request)
        self._permit(request, route)
        answer = await handler(request)
        return _broken(request) if fault and fault.lost else answer

    def _permit(self, request: web.Request, route: str) -> None:
        """The token, where one is needed; the signature, where the address is the permission."""
        if route in _OPEN:
            if request.query.get("signature") != SIGNATURE:
                raise Refused(403, "the address is not signed")
            return
        name = named(request)
        repository = self.store.repositories.get(name) if name else None
        public = repository is not None and not repository.private and request.method in {"GET", "HEAD"}
        public = public or (route == "paths-info" and repository is not None and not repository.private)
        if not public and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise Refused(401, "Invalid username or password.", "RepoNotFound" if name else "")
        if repository is None and name:
            raise Refused(404, "Repository not found", "RepoNotFound")

    def _note(self, request: web.Request, route: str, status: int) -> None:
        headers = request.headers
        length = int(headers.get("Content-Length") or 0) if request.method in _BODIES else 0
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append(
            Asked(route, request.method, request.path_qs, token, headers.get("Range", ""), length, status)
        )


def _routes() -> tuple[tuple[str, str, str], ...]:
    """Name, method and path of each."""
    api, plain = "/api/datasets/{owner}/{name}", "/datasets/{owner}/{name}"
    return (
        ("whoami", "GET", "/api/whoami-v2"),
        ("create", "POST", "/api/repos/create"),
        ("validate-yaml", "POST", "/api/validate-yaml"),
        ("info", "GET", api),
        ("info", "GET", f"{api}/revision/{{revision}}"),
        ("preupload", "POST", f"{api}/preupload/{{revision}}"),
        ("xet-token", "GET", f"{api}/xet-{{kind}}-token/{{revision}}"),
        ("commit", "POST", f"{api}/commit/{{revision}}"),
        ("tree", "GET", f"{api}/tree/{{revision}}"),
        ("tree", "GET", f"{api}/tree/{{revision}}/{{path:.+}}"),
        ("paths-info", "POST", f"{api}/paths-info/{{revision}}"),
        ("refs", "GET", f"{api}/refs"),
        ("commits", "GET", f"{api}/commits/{{revision}}"),
        ("tag", "POST", f"{api}/tag/{{revision}}"),
        ("untag", "DELETE", f"{api}/tag/{{revision}}"),
        ("branch", "POST", f"{api}/branch/{{revision}}"),
        ("discussions", "GET", f"{api}/discussions"),
        ("discuss", "POST", f"{api}/discussions"),
        ("discussion", "GET", f"{api}/discussions/{{number}}"),
        ("status", "POST", f"{api}/discussions/{{number}}/status"),
        ("merge", "POST", f"{api}/discussions/{{number}}/merge"),
        ("lfs-batch", "POST", f"{plain}.git/info/lfs/objects/batch"),
        ("lfs-put", "PUT", "/large/{sha256}"),
        ("lfs-verify", "POST", "/verify/{owner}/{name}"),
        ("resolve", "GET", f"{plain}/resolve/{{revision}}/{{path:.+}}"),
        ("large", "GET", "/large/{sha256}"),
    )  # fmt: skip


def named(request: web.Request) -> str:
    """The repository of a request, if it is about one."""
    match = request.match_info
    return f"{match['owner']}/{match['name']}" if "owner" in match else ""


def _broken(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response(status=499)
