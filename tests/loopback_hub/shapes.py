"""What the Hub says of files, pull requests and their changes."""

import hashlib
from typing import Any

from tests.loopback_hub.store import Commit, Pull, Repository

WHEN = "2026-11-21T12:00:00.000Z"


def entries(commit: Commit, below: str, recursive: bool) -> list[dict[str, Any]]:
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


def expanded(entries: list[dict[str, Any]], commit: Commit, expand: str) -> list[dict[str, Any]]:
    """With the commit that touched them last, where that is asked for."""
    last = {"lastCommit": {"id": commit.id, "title": commit.title, "date": WHEN}}
    return [{**entry, **(last if expand.lower() == "true" else {})} for entry in entries]


def said(repository: Repository, pull: Pull) -> dict[str, Any]:
    return {
        "num": pull.number, "title": pull.title, "status": pull.status, "isPullRequest": True,
        "author": {"name": "somebody"}, "createdAt": WHEN, "repo": {"name": repository.name, "type": "dataset"},
        "changes": {"base": "refs/heads/main"}, "filesWithConflicts": [], "events": [],
        "description": pull.description,
    }  # fmt: skip


def event(pull: Pull) -> dict[str, Any]:
    data = {"status": pull.status}
    return {
        "id": "1",
        "type": "status-change",
        "createdAt": WHEN,
        "author": {"name": "somebody"},
        "data": data,
    }
