"""A Hub on loopback: the requests that its client sends to publish and to read, real commits and tags, and faults on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_" + "TestTokenOfNobody" * 2
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
DATE = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Commit:
    """files: path to content; large ones are those of `large`."""

    id: str
    title: str
    message: str
    files: dict[str, bytes]
    large: frozenset[str]


@dataclass
class Repository:
    """commits: of main, the oldest first. tags: name to commit id."""

    private: bool
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, title: str, message: str, files: dict[str, bytes], large: frozenset[str]) -> Commit:
        names = json.dumps([len(self.commits), title, message, sorted(files)])
        commit = Commit(hashlib.sha1(names.encode()).hexdigest(), title, message, files, large)
        self.commits.append(commit)
        return commit

    def upto(self, revision: str) -> list[Commit]:
        """The commits of a branch, a tag or a commit's id, the newest first."""
        wanted = self.tags.get(revision, revision)
        ids = [one.id for one in self.commits]
        end = len(ids) if wanted == "main" else ids.index(wanted) + 1
        return self.commits[:end][::-1]


class LocalHub:
    """Runs while it is entered. `rule(what)`, with `what` as in `POST /api/repos/create`, may give a status, `reset` (no answer, and
    nothing done), `lost` (done, and the answer is lost), or wait."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.rule: Callable[[str], int | str | None] = lambda what: None
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LocalHub:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, pattern: str, how: int | str, times: int = 1, after: int = 0) -> None:
        """Make a fault of some requests that match: of `times` of them, once `after` went through."""
        seen = 0

        def rule(what: str) -> int | str | None:
            nonlocal seen
            if not re.search(pattern, what):
                return None
            seen += 1
            return how if after < seen <= after + times else None

        self.rule = rule

    def asked(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, one)) for one in self.requests)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: LocalHub


class _Refused(Exception):
    def __init__(self, status: int, message: str = "", code: str = "") -> None:
        self.status, self.message, self.code = status, message, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_HEAD = do_GET

    def _serve(self) -> None:
        hub, path = self.server.hub, unquote(urlsplit(self.path).path)
        self.heads: dict[str, str] = {}
        what = f"{self.command} {path}"
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if self._has_body() else b""
        hub.requests.append(what)
        fault = hub.rule(what)
        if fault == "reset":
            self._reset()
            return
        if isinstance(fault, int):
            # As an impolite service would, it repeats what it was sent.
            said = {"error": f"failed with {self.headers.get('Authorization')}"}
            self._answer(
                fault, said, {"X-Error-Message": "Invalid credentials in Authorization header"} if fault == 401 else {}
            )
            return
        try:
            with hub.lock:
                answer = self._route(path)
        except _Refused as refused:
            heads = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            self._answer(refused.status, {"error": refused.message}, {k: v for k, v in heads.items() if v})
            return
        if fault == "lost":
            self._reset()
        else:
            self._answer(200, answer, self.heads)

    def _has_body(self) -> bool:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return True
        parts = []
        while size := int(self.rfile.readline().strip(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        self.chunked = b"".join(parts)
        return False

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _answer(self, status: int, content: Any, heads: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (heads or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _route(self, path: str) -> Any:
        if path.startswith("/objects/"):  # its address is signed: nobody asks for a token
            return self._put(path.rsplit("/", 1)[-1])
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _Refused(401, "Invalid credentials in Authorization header")
        routes: list[tuple[str, Callable[..., Any]]] = [
            (r"/api/repos/create", self._create),
            (r"/api/validate-yaml", lambda: {"errors": [], "warnings": []}),
            (r"/verify", self._verify),
            (r"/api/models/([^/]+/[^/]+)/refs", self._refs),
            (r"/api/models/([^/]+/[^/]+)/commits/(.+)", self._commits),
            (r"/api/models/([^/]+/[^/]+)/tree/(.+)", self._tree),
            (r"/api/models/([^/]+/[^/]+)/preupload/(.+)", self._preupload),
            (r"/api/models/([^/]+/[^/]+)/commit/(.+)", self._commit),
            (r"/api/models/([^/]+/[^/]+)/tag/(.+)", self._tag),
            (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
            (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._resolve),
        ]
        for pattern, work in routes:
            if match := re.fullmatch(pattern, path):
                return work(*match.groups())
        raise _Refused(501, f"{self.command} {path} is not made")

    def _json(self) -> Any:
        return json.loads(self.body or self.chunked)

    def _repository(self, name: str) -> Repository:
        if name not in self.server.hub.repositories:
            raise _Refused(404, "Repository not found", "RepoNotFound")
        return self.server.hub.repositories[name]

    def _create(self) -> Any:
        asked = self._json()
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.hub.repositories:
            raise _Refused(409, "You already created this model repo")
        repository = Repository(asked.get("visibility") == "private")
        repository.add("initial commit", "", {".gitattributes": ATTRIBUTES}, frozenset())
        self.server.hub.repositories[name] = repository
        return {"url": f"{self.server.hub.endpoint}/{name}"}

    def _refs(self, name: str) -> Any:
        repository = self._repository(name)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.commits[-1].id}
        tags = [{"name": k, "ref": f"refs/tags/{k}", "targetCommit": v} for k, v in repository.tags.items()]
        return {"branches": [main], "converts": [], "tags": tags}

    def _commits(self, name: str, revision: str) -> Any:
        about = {"date": DATE, "authors": [{"user": "nobody"}]}
        return [
            {"id": one.id, "title": one.title, "message": one.message, **about}
            for one in self._repository(name).upto(revision)
        ]

    def _tree(self, name: str, revision: str) -> Any:
        commit = self._repository(name).upto(revision)[0]
        found = []
        for path, data in commit.files.items():
            one: dict[str, Any] = {
                "type": "file",
                "path": path,
                "size": len(data),
                "oid": hashlib.sha1(data).hexdigest(),
            }
            if path in commit.large:
                one["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            found.append(one)
        return found

    def _preupload(self, name: str, revision: str) -> Any:
        self._repository(name)
        return {
            "files": [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for one in self._json()["files"]
            ]
        }

    def _batch(self, name: str) -> Any:
        self._repository(name)
        found = []
        for one in self._json()["objects"]:
            entry = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.server.hub.objects:
                upload = {"href": f"{self.server.hub.endpoint}/objects/{one['oid']}?X-Amz-Signature=signed"}
                entry["actions"] = {"upload": upload, "verify": {"href": f"{self.server.hub.endpoint}/verify"}}
            found.append(entry)
        return {"transfer": "basic", "objects": found}

    def _put(self, oid: str) -> Any:
        data = self.body or getattr(self, "chunked", b"")
        if self.headers.get("Authorization"):
            raise _Refused(400, "the token has no business here")
        if hashlib.sha256(data).hexdigest() != oid:
            raise _Refused(400, "these are not the bytes that were announced")
        self.server.hub.objects[oid] = data
        return {}

    def _verify(self) -> Any:
        asked = self._json()
        if len(self.server.hub.objects.get(asked["oid"], b"")) != asked["size"]:
            raise _Refused(404, "no such object")
        return {}

    def _commit(self, name: str, revision: str) -> Any:
        repository = self._repository(name)
        lines = [json.loads(line) for line in (self.body or self.chunked).splitlines()]
        head, before = lines[0]["value"], repository.commits[-1]
        if head.get("parentCommit", before.id) != before.id:
            raise _Refused(412, "A commit has happened since. Please refresh and try again.")
        files, large = dict(before.files), set(before.large)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.hub.objects[value["oid"]]
                large.add(value["path"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
                large.discard(value["path"])
        made = repository.add(head["summary"], head["description"], files, frozenset(large))
        return {"commitUrl": f"{self.server.hub.endpoint}/{name}/commit/{made.id}", "commitOid": made.id}

    def _tag(self, name: str, revision: str) -> Any:
        repository, tag = self._repository(name), self._json()["tag"]
        if tag in repository.tags:
            raise _Refused(409, "Tag already exists")
        repository.tags[tag] = repository.upto(revision)[0].id
        return {}

    def _resolve(self, name: str, revision: str, path: str) -> Any:
        commit = self._repository(name).upto(revision)[0]
        if path not in commit.files:
            raise _Refused(404, "Entry not found", "EntryNotFound")
        data = commit.files[path]
        self.heads = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit.id}
        return data
