"""Folders on the Hugging Face Hub: one commit and one tag for each release, whatever breaks off in between.

A commit names its release and the files that came with it, so what was done before a kill is read from the Hub itself. The
endpoint is `HF_ENDPOINT`, the token that of the environment or of `hf auth login`; messages hold the repository and a status,
never a header.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from json import JSONDecodeError
from logging import WARNING, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from vaak.errors import BadInput
from vaak.storage.files import list_files
from vaak.storage.objects import StorageFailed, with_attempts

if TYPE_CHECKING:
    from huggingface_hub import GitCommitInfo, GitRefs, HfApi

_NAMES, _LISTS = "Release: ", "- "
# The Hub's own: it says which files are kept as large ones.
_STAYS = ".gitattributes"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Release:
    """id: what its commit names, on one line, the same for as long as the content is. title: of the commit. tag: on it."""

    id: str
    title: str
    tag: str


@dataclass(frozen=True)
class _Repository:
    id: str
    api: HfApi

    @property
    def name(self) -> str:
        return f"the Hub repository {self.id}"

    def ask(self, work: Callable[[HfApi], _T]) -> _T:
        """Something asked of the Hub, with its error as one of ours."""
        try:
            return work(self.api)
        except BadInput:
            raise
        except Exception as error:  # the client, its HTTP library and its upload library each have their own kinds
            raise _said(error, self) from None  # their reports repeat the request


def publish_folder(repo_id: str, release: Release, folder: Callable[[], Path]) -> str:
    """Put a folder into a repository as one commit on `main` with one tag, and return the address of the tag.

    A repository that is not there is made, private; of one that is there the visibility is left as it is. Files of earlier
    releases that this one does not have go in the same commit; files that came otherwise stay. A release that is there
    already is left as it is, and `folder` is called only where there is something to send. After a failure or a kill
    the same call finishes what is missing: there are never two commits for a release.

    Raises `BadInput` where the same call would fail again (no token, no right, the tag belongs to another release), and
    `StorageFailed` where it may succeed later.
    """
    repository = _open(repo_id)
    made = cache(folder)
    with _quietly():
        with_attempts(lambda: _publish(repository, release, made))
    return f"{repository.api.endpoint}/{repo_id}/tree/{release.tag}"


def _open(repo_id: str) -> _Repository:
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        repo_id = ""
    if repo_id.count("/") != 1:
        raise BadInput("a repository of the Hub is named like owner/name; correct the name")
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    if endpoint is not None and (urlsplit(endpoint).scheme not in ("http", "https") or "@" in endpoint):
        raise BadInput("HF_ENDPOINT must be an address like https://huggingface.co; correct it")
    token = _Repository(repo_id, HfApi()).ask(lambda _: get_token())
    if not token:
        raise BadInput(f"the Hub repository {repo_id} needs a token; set HF_TOKEN, or run `hf auth login`")
    # The client reads HF_ENDPOINT once, when it is imported; here it is read at every call.
    return _Repository(repo_id, HfApi(endpoint=endpoint, token=token))


def _publish(repository: _Repository, release: Release, folder: Callable[[], Path]) -> None:
    """Do what is missing. Every decision follows from what the Hub says now, so this can be begun again at any time."""
    tags = {one.name for one in repository.ask(lambda api: _refs(api, repository.id)).tags}
    if release.tag in tags:
        there = _named(_commits(repository, release.tag)[0])
        if there != release.id:
            raise BadInput(
                f"{repository.name} has a tag {release.tag} of {there or 'something else'}, not of {release.id}; publish to "
                "another repository, or remove that tag"
            )
        return
    commits = _commits(repository, "main")
    commit = next((one.commit_id for one in commits if _named(one) == release.id), None)
    if commit is None:
        commit = _commit(repository, release, folder(), commits)
    repository.ask(lambda api: api.create_tag(repository.id, tag=release.tag, revision=commit))


def _refs(api: HfApi, repo_id: str) -> GitRefs:
    from huggingface_hub.errors import RepositoryNotFoundError

    with suppress(RepositoryNotFoundError):
        return api.list_repo_refs(repo_id)
    api.create_repo(repo_id, private=True, exist_ok=True)
    return api.list_repo_refs(repo_id)


def _commits(repository: _Repository, revision: str) -> list[GitCommitInfo]:
    return repository.ask(lambda api: api.list_repo_commits(repository.id, revision=revision))


def _commit(repository: _Repository, release: Release, folder: Path, commits: list[GitCommitInfo]) -> str:
    """Send the folder as one commit after the newest of `commits`, and return its id.

    The Hub refuses it if another came in between, so a commit of which the answer was lost is never made a second time.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

    parent = commits[0].commit_id if commits else None
    files = list_files(folder)
    earlier = {line.removeprefix(_LISTS) for one in commits if _named(one) for line in one.message.splitlines()}
    there: set[str] = set()
    if parent is not None:
        tree = repository.ask(lambda api: list(api.list_repo_tree(repository.id, recursive=True, revision=parent)))
        there = {one.path for one in tree if isinstance(one, RepoFile)}
    gone = sorted((there & earlier) - {*files, _STAYS})
    operations = [
        *(CommitOperationAdd(path_in_repo=path, path_or_fileobj=str(folder / path)) for path in files),
        *(CommitOperationDelete(path_in_repo=path) for path in gone),
    ]
    made = repository.ask(
        lambda api: api.create_commit(
            repository.id,
            operations,
            commit_message=release.title,
            commit_description="\n".join([_NAMES + release.id, "", *(_LISTS + path for path in files)]),
            parent_commit=parent,
        )
    )
    return made.oid


def _named(commit: GitCommitInfo) -> str | None:
    """The id of the release that a commit names, or None."""
    lines = (line for line in commit.message.splitlines() if line.startswith(_NAMES))
    return next((line.removeprefix(_NAMES).strip() for line in lines), None)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without progress bars, and without what the client and its HTTP library report: the signed addresses of uploads."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    shown, level = not are_progress_bars_disabled(), logging.get_verbosity()
    loggers = [getLogger(name) for name in ("httpx2", "httpcore2")]
    levels = [one.level for one in loggers]
    logging.set_verbosity_error()
    for one in loggers:
        one.setLevel(WARNING)
    if shown:
        disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        for one, before in zip(loggers, levels, strict=True):
            one.setLevel(before)
        if shown:
            enable_progress_bars()


def _said(error: Exception, repository: _Repository) -> BadInput:
    """An error of the client in one sentence that holds nothing of the request but the repository."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__) is not None and before not in chain:
        chain.append(before)
    name = repository.name
    answered = next((one for one in chain if isinstance(one, HfHubHTTPError)), None)
    if answered is not None:
        return _said_by_hub(answered.response.status_code, name)
    if any(isinstance(one, OfflineModeIsEnabled) for one in chain):
        return BadInput(f"{name} was not asked, for HF_HUB_OFFLINE is set; unset it, then publish again")
    if type(error) is ValueError:  # the client's own check of what is sent, with the Hub's reason
        why = " ".join(str(error).split())[:200].replace(str(repository.api.token), "…")
        return BadInput(f"{name} does not take what was sent ({why}); correct it, then publish again")
    kind = "an answer that is no JSON" if isinstance(error, JSONDecodeError) else type(chain[-1]).__name__
    return StorageFailed(f"{name} cannot be reached, or broke off ({kind}); publish again later, and it continues")


def _said_by_hub(status: int, name: str) -> BadInput:
    if status == 401:
        return BadInput(f"{name} does not accept the token (401); set HF_TOKEN to a valid one, then publish again")
    if status in (402, 403):
        return BadInput(f"{name} cannot be written with this token ({status}); give one with the right to write there")
    if status == 404:
        return BadInput(f"{name} does not exist, or the token may not see it (404); check the name and the token")
    if status in (409, 412):
        return StorageFailed(f"{name} changed in the same moment ({status}); publish again, and it continues")
    if status == 429:
        return StorageFailed(f"{name} had too many requests (429); publish again in an hour, and it continues")
    if status == 408 or status >= 500:
        return StorageFailed(f"{name} failed ({status}); publish again later, and it continues")
    return BadInput(f"{name} refused what was sent ({status}); check the model card's front matter and the file names")
