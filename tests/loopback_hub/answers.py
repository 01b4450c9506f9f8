"""The endpoints of the Hub that `huggingface_hub` and `datasets` use for data sets."""

import asyncio
import base64
import hashlib
import json

import yaml  # type: ignore[import-untyped]
from aiohttp import web

from tests.loopback_hub.files import sent
from tests.loopback_hub.guarded import SIGNATURE, Guarded, named
from tests.loopback_hub.shapes import WHEN, entries, event, expanded, said
from tests.loopback_hub.store import Commit, Pull, Refused, Repository, changed

_XET = "token-for-the-store-alone"


class Answers(Guarded):
    """Handlers, named as their routes are."""

    def _found(self, request: web.Request) -> tuple[Repository, Commit]:
        repository = self.store.repository(named(request))
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
        repository = self.store.repository(named(request))
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
        repository = self.store.repository(named(request))
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
        found = entries(commit, below, request.query.get("recursive", "").lower() == "true")
        if below and not found:
            raise Refused(404, f"{below} does not exist", "EntryNotFound")
        start = int(request.query.get("cursor", 0))
        headers = {}
        if start + self.page < len(found):
            onward = request.rel_url.update_query(cursor=str(start + self.page))
            headers["Link"] = f'<{self.url}{onward}>; rel="next"'
        return web.json_response(
            expanded(found[start : start + self.page], commit, request.query.get("expand", "")),
            headers=headers,
        )

    async def paths_info(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        form = await request.post()
        every = {entry["path"]: entry for entry in entries(commit, "", True)}
        paths = [str(path).strip("/") for path in form.getall("paths", [])]
        if len(paths) > 1000:
            raise Refused(413, "too many parameters")
        found = [every[path] for path in paths if path in every]
        return web.json_response(expanded(found, commit, str(form.get("expand", ""))))

    async def refs(self, request: web.Request) -> web.Response:
        repository = self.store.repository(named(request))

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
        repository = self.store.repository(named(request))
        if not repository.refs.pop(f"refs/tags/{request.match_info['revision']}", ""):
            raise Refused(404, "there is no such tag", "RevisionNotFound")
        return web.json_response({})

    async def branch(self, request: web.Request) -> web.Response:
        repository = self.store.repository(named(request))
        name = f"refs/heads/{request.match_info['revision']}"
        if name in repository.refs:
            raise Refused(409, "this branch exists")
        repository.refs[name] = repository.resolve((await request.json()).get("startingPoint", "main")).id
        return web.json_response({})

    async def discuss(self, request: web.Request) -> web.Response:
        repository, asked = self.store.repository(named(request)), await request.json()
        number = len(repository.pulls) + 1
        repository.pulls[number] = Pull(number, asked["title"], asked["description"])
        repository.refs[f"refs/pr/{number}"] = repository.resolve("main").id
        return web.json_response({"num": number, "pullRequest": True})

    async def discussions(self, request: web.Request) -> web.Response:
        repository = self.store.repository(named(request))
        every = [said(repository, pull) for pull in repository.pulls.values()]
        first = int(request.query.get("p", 0)) * self.page
        return web.json_response(
            {"count": len(every), "start": first, "discussions": every[first : first + self.page]}
        )

    async def discussion(self, request: web.Request) -> web.Response:
        repository = self.store.repository(named(request))
        return web.json_response(
            said(repository, self.store.pull(repository, int(request.match_info["number"])))
        )

    async def status(self, request: web.Request) -> web.Response:
        repository = self.store.repository(named(request))
        pull = self.store.pull(repository, int(request.match_info["number"]))
        pull.status = (await request.json())["status"]
        return web.json_response({"newStatus": event(pull)})

    async def merge(self, request: web.Request) -> web.Response:
        repository = self.store.repository(named(request))
        pull = self.store.pull(repository, int(request.match_info["number"]))
        self.store.merge(repository, pull)
        return web.json_response({})

    async def lfs_batch(self, request: web.Request) -> web.Response:
        objects = []
        for one in (await request.json())["objects"]:
            there = (self.store.large / one["oid"]).is_file()
            put = f"{self.large_url}/large/{one['oid']}?signature={SIGNATURE}"
            verify = f"{self.url}/verify/{named(request)}"
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
        where = f"{self.large_url}/large/{file.sha256}?signature={SIGNATURE}"
        linked = {"X-Linked-Size": str(file.size), "X-Linked-ETag": tag, "Location": where}
        return web.Response(status=302, headers=headers | linked)

    async def large(self, request: web.Request) -> web.StreamResponse:
        sha256 = request.match_info["sha256"]
        return await sent(request, self.store.large / sha256, {"ETag": f'"{sha256}"'})
