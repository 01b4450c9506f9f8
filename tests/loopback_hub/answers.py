"""The endpoints of the Hub that `huggingface_hub` and `datasets` use for data sets."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import yaml  # type: ignore[import-untyped]
from aiohttp import web

from tests.loopback_hub.faults import Asked, Fault, Faults
from tests.loopback_hub.files import sent
from tests.loopback_hub.store import Commit, Pull, Refused, Repository, Store, changed

WHEN = "2026-11-21T12:00:00.000Z"
_SIGNATURE = "signed-for-one-request"  # in the addresses that large files are sent to and fetched from
_XET = "token-for-the-store-alone"
_BODIES = {"POST", "PUT"}
_OPEN = {"lfs-put", "large"}  # the address is the permission

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Answers:
    """Handlers, named as their routes are; `page` is how many entries one answer lists."""

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
            if request.query.get("signature") != _SIGNATURE:
                raise Refused(403, "the address is not signed")
            return
        name = _name(request)
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

    def _found(self, request: web.Request) -> tuple[Repository, Commit]:
        repository = self.store.repository(_name(request))
        return repository, repository.resolve(request.match_info["revision"])

    async def whoami(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"type": "user", "name": "somebody", "orgs": [{"name": "org", "type": "org"}]}
        )

    async def create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name = f"{asked.get('organization') or 'somebody'}/{asked['name']}"
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        told = {"url": f"{self.url}/datasets/{name}", "name": name}
        if name in self.store.repositories:
            return web.json_response({"error": "You already created this dataset repo", **told}, status=409)
        self.store.create(name, private)
        return web.json_response(told)

    async def validate_yaml(self, request: web.Request) -> web.Response:
        content = (await request.json())["content"]
        try:
            head = yaml.safe_load(content.split("---\n", 2)[1]) if content.startswith("---\n") else {}
            errors = [] if isinstance(head, dict) else [{"message": "the header is no mapping"}]
        except yaml.YAMLError as error:
            errors = [{"message": str(error)}]
        return web.json_response({"errors": errors, "warnings": []}, status=400 if errors else 200)

    async def info(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        commit = repository.resolve(request.match_info.get("revision", "main"))
        return web.json_response({
            "_id": "1", "id": repository.name, "author": repository.name.split("/")[0], "sha": commit.id,
            "private": repository.private, "gated": False, "disabled": False, "downloads": 0, "likes": 0,
            "tags": [], "lastModified": WHEN, "createdAt": WHEN,
            "siblings": [{"rfilename": path} for path in sorted(commit.tree)],
        })  # fmt: skip

    async def preupload(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        files = []
        for one in (await request.json())["files"]:
            mode = self.store.mode(one["path"], one["size"], base64.b64decode(one["sample"]))
            there = commit.tree.get(one["path"])
            oid = {"oid": there.sha256 or there.oid} if there else {}
            files.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, **oid})
        return web.json_response({"files": files})

    async def xet_token(self, request: web.Request) -> web.Response:
        self._found(request)
        store, until = self.store.xet.url, 4_000_000_000
        headers = {
            "X-Xet-Cas-Url": store, "X-Xet-Access-Token": _XET, "X-Xet-Token-Expiration": str(until),
        }  # fmt: skip
        return web.json_response({"casUrl": store, "accessToken": _XET, "exp": until}, headers=headers)

    async def commit(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        ref = repository.branch(request.match_info["revision"])
        lines = [json.loads(line) for line in (await request.read()).splitlines() if line]
        header, operations = lines[0]["value"], lines[1:]
        head = repository.commits[repository.refs[ref]]
        if header.get("parentCommit") not in {None, head.id}:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        tree = await asyncio.to_thread(changed, self.store, head.tree, operations)
        made = repository.commit(ref, header["summary"], tree)
        where = f"{self.url}/datasets/{repository.name}/commit/{made.id}"
        return web.json_response(
            {"success": True, "commitOid": made.id, "commitUrl": where, "hookOutput": ""}
        )

    async def tree(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        below = request.match_info.get("path", "").strip("/")
        entries = _entries(commit, below, request.query.get("recursive", "").lower() == "true")
        if below and not entries:
            raise Refused(404, f"{below} does not exist", "EntryNotFound")
        start = int(request.query.get("cursor", 0))
        headers = {}
        if start + self.page < len(entries):
            onward = request.rel_url.update_query(cursor=str(start + self.page))
            headers["Link"] = f'<{self.url}{onward}>; rel="next"'
        return web.json_response(
            _expanded(entries[start : start + self.page], commit, request.query.get("expand", "")),
            headers=headers,
        )

    async def paths_info(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        form = await request.post()
        every = {entry["path"]: entry for entry in _entries(commit, "", True)}
        paths = [str(path).strip("/") for path in form.getall("paths", [])]
        if len(paths) > 1000:
            raise Refused(413, "too many parameters")
        found = [every[path] for path in paths if path in every]
        return web.json_response(_expanded(found, commit, str(form.get("expand", ""))))

    async def refs(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))

        def under(prefix: str) -> list[dict[str, str]]:
            return [{"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": target}
                    for ref, target in sorted(repository.refs.items()) if ref.startswith(prefix)]  # fmt: skip

        return web.json_response({"branches": under("refs/heads/"), "tags": under("refs/tags/"), "converts": [],
                                  "pullRequests": under("refs/pr/")})  # fmt: skip

    async def commits(self, request: web.Request) -> web.Response:
        repository, commit = self._found(request)
        told = {"message": "", "date": WHEN, "authors": [{"user": "somebody"}]}
        every = [{"id": one.id, "title": one.title, **told} for one in repository.history(commit)]
        return web.json_response(every)

    async def tag(self, request: web.Request) -> web.Response:
        repository, commit = self._found(request)
        name = f"refs/tags/{(await request.json())['tag']}"
        if name in repository.refs:
            raise Refused(409, "this tag exists")
        repository.refs[name] = commit.id
        return web.json_response({})

    async def untag(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        if not repository.refs.pop(f"refs/tags/{request.match_info['revision']}", ""):
            raise Refused(404, "there is no such tag", "RevisionNotFound")
        return web.json_response({})

    async def branch(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        name = f"refs/heads/{request.match_info['revision']}"
        if name in repository.refs:
            raise Refused(409, "this branch exists")
        repository.refs[name] = repository.resolve((await request.json()).get("startingPoint", "main")).id
        return web.json_response({})

    async def discuss(self, request: web.Request) -> web.Response:
        repository, asked = self.store.repository(_name(request)), await request.json()
        number = len(repository.pulls) + 1
        repository.pulls[number] = Pull(number, asked["title"], asked["description"])
        repository.refs[f"refs/pr/{number}"] = repository.resolve("main").id
        return web.json_response({"num": number, "pullRequest": True})

    async def discussions(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        every = [_said(repository, pull) for pull in repository.pulls.values()]
        first = int(request.query.get("p", 0)) * self.page
        return web.json_response(
            {"count": len(every), "start": first, "discussions": every[first : first + self.page]}
        )

    async def discussion(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        return web.json_response(
            _said(repository, self.store.pull(repository, int(request.match_info["number"])))
        )

    async def status(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        pull = self.store.pull(repository, int(request.match_info["number"]))
        pull.status = (await request.json())["status"]
        return web.json_response({"newStatus": _event(pull)})

    async def merge(self, request: web.Request) -> web.Response:
        repository = self.store.repository(_name(request))
        pull = self.store.pull(repository, int(request.match_info["number"]))
        self.store.merge(repository, pull)
        return web.json_response({})

    async def lfs_batch(self, request: web.Request) -> web.Response:
        objects = []
        for one in (await request.json())["objects"]:
            there = (self.store.large / one["oid"]).is_file()
            put = f"{self.large_url}/large/{one['oid']}?signature={_SIGNATURE}"
            verify = f"{self.url}/verify/{_name(request)}"
            actions = {"upload": {"href": put}, "verify": {"href": verify}}
            objects.append({**one, **({} if there else {"actions": actions})})
        return web.json_response({"transfer": "basic", "objects": objects})

    async def lfs_put(self, request: web.Request) -> web.Response:
        sha256, content = request.match_info["sha256"], await request.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Refused(400, "not what was promised")
        part = self.store.arriving / sha256
        part.write_bytes(content)
        part.rename(self.store.large / sha256)
        return web.Response(headers={"ETag": f'"{sha256}"'})

    async def lfs_verify(self, request: web.Request) -> web.Response:
        one = await request.json()
        path = self.store.large / one["oid"]
        if not path.is_file() or path.stat().st_size != one["size"]:
            raise Refused(404, "not there")
        return web.json_response({})

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        _, commit = self._found(request)
        file = commit.tree.get(request.match_info["path"])
        if file is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        tag = f'"{file.sha256 or file.oid}"'
        headers = {"X-Repo-Commit": commit.id, "ETag": tag}
        if not file.sha256:
            return await sent(request, self.store.content(file), headers)
        where = f"{self.large_url}/large/{file.sha256}?signature={_SIGNATURE}"
        linked = {"X-Linked-Size": str(file.size), "X-Linked-ETag": tag, "Location": where}
        return web.Response(status=302, headers=headers | linked)

    async def large(self, request: web.Request) -> web.StreamResponse:
        sha256 = request.match_info["sha256"]
        return await sent(request, self.store.large / sha256, {"ETag": f'"{sha256}"'})


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


def _name(request: web.Request) -> str:
    """The repository of a request, if it is about one."""
    match = request.match_info
    return f"{match['owner']}/{match['name']}" if "owner" in match else ""


def _broken(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response(status=499)


def _entries(commit: Commit, below: str, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders under a path, sorted."""
    prefix = f"{below}/" if below else ""
    found: dict[str, dict[str, Any]] = {}
    for path, file in commit.tree.items():
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts)):
            folder = prefix + "/".join(parts[:depth])
            if recursive or depth == 1:
                oid = hashlib.sha1(folder.encode()).hexdigest()
                found[folder] = {"type": "directory", "path": folder, "oid": oid, "size": 0}
        if recursive or len(parts) == 1:
            found[path] = file.said(path)
    return [found[path] for path in sorted(found)]


def _expanded(entries: list[dict[str, Any]], commit: Commit, expand: str) -> list[dict[str, Any]]:
    """With the commit that touched them last, where that is asked for."""
    last = {"lastCommit": {"id": commit.id, "title": commit.title, "date": WHEN}}
    return [{**entry, **(last if expand.lower() == "true" else {})} for entry in entries]


def _said(repository: Repository, pull: Pull) -> dict[str, Any]:
    return {
        "num": pull.number, "title": pull.title, "status": pull.status, "isPullRequest": True,
        "author": {"name": "somebody"}, "createdAt": WHEN, "repo": {"name": repository.name, "type": "dataset"},
        "changes": {"base": "refs/heads/main"}, "filesWithConflicts": [], "events": [],
        "description": pull.description,
    }  # fmt: skip


def _event(pull: Pull) -> dict[str, Any]:
    data = {"status": pull.status}
    return {
        "id": "1",
        "type": "status-change",
        "createdAt": WHEN,
        "author": {"name": "somebody"},
        "data": data,
    }
