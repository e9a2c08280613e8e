"""The corpora of a project: folders on this machine, or addresses that they were pushed to; verified, and watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaak.corpus.reader import Corpus, open_corpus
from vaak.corpus.transfer import check_pushed
from vaak.corpus.verify import verify_corpus
from vaak.errors import BadInput, CheckFailed
from vaak.launch.project import Project
from vaak.launch.walk import Launch
from vaak.recipe import is_address, resolve_path
from vaak.storage.files import hash_json


def corpus_paths(project: Project) -> list[str]:
    """The project's corpora as a recipe takes them: addresses as they are, the rest as folders."""
    return [path if is_address(path) else str(resolve_path(path)) for path in project.corpora]


def corpus_ids(launch: Launch) -> list[str]:
    """The id of each corpus, from its manifest."""
    return [
        check_pushed(path)[0]["id"] if is_address(path) else open_corpus(path).id
        for path in corpus_paths(launch.project)
    ]


def main_corpus(launch: Launch) -> Corpus:
    """The first corpus of the project: the gold pack is taken from it, and it is audited."""
    first = corpus_paths(launch.project)[0]
    if is_address(first):
        raise BadInput(
            f"corpora: the first one, {first}, is an address; the pack is taken from it and the audit reads all over it, so pull "
            f"it (vaak corpus pull FOLDER {first}) and name the folder"
        )
    return open_corpus(first)


def verify_all(launch: Launch) -> dict[str, Any]:
    """What each corpus holds, by id, once every byte of the folders was hashed. Raises `CheckFailed` naming what is damaged.

    What is at an address is not read here: its files are there, in the sizes of the manifest, and each is hashed when it is
    staged.
    """
    found: dict[str, Any] = {}
    for path in corpus_paths(launch.project):
        if is_address(path):
            manifest, tokens = check_pushed(path)
            found[manifest["id"]] = _content(manifest) | {"tokens": hash_json(tokens)}
            how = "every file is there, hashed when it is staged"
        else:
            damaged = launch.stamps.problems(Path(path), lambda path=path: verify_corpus(path))
            if damaged:
                raise CheckFailed(f"{path}: {len(damaged)} damaged files, the first: {damaged[0]}; restore the corpus")
            manifest = open_corpus(path).manifest
            found[manifest["id"]] = _content(manifest)
            how = "every file matches its hash"
        one = found[manifest["id"]]
        launch.console.line(
            f"{manifest['name']} {manifest['id'][:12]}: {one['hours']['raw']:,.1f} h raw, {one['hours']['paired']:,.1f} h paired, "
            f"{one['text_tokens']:,} text tokens; {how}"
        )
    return found


def changed_files(launch: Launch, evidence: dict[str, Any]) -> list[str]:
    """What of the corpora is not what it was when they were frozen into the launch, a line for each file."""
    lines: list[str] = []
    for path in corpus_paths(launch.project):
        if is_address(path):
            lines += _changed_there(path, evidence)
            continue
        found = launch.stamps.problems(Path(path), lambda path=path: verify_corpus(path))
        lines += [f"{path}/{line}" for line in found]
    return lines


def _changed_there(url: str, evidence: dict[str, Any]) -> list[str]:
    try:
        manifest, tokens = check_pushed(url)
    except BadInput as error:
        return [str(error)]
    known = evidence.get("corpora", {}).get(manifest["id"])
    # Another corpus in its place is another input, and the step is done again anyway.
    if known is None or known.get("tokens") in (None, hash_json(tokens)):
        return []
    return [f"{url}: a file was written anew since it was looked at"]


def _content(manifest: dict[str, Any]) -> dict[str, Any]:
    codec = manifest.get("codec")
    rate = codec["tokens_per_second"] if codec else 50
    hours, text_tokens = {"raw": 0.0, "paired": 0.0}, 0
    for group in manifest["groups"]:
        if group["stream"] == "text":
            text_tokens += group["tokens"]
        else:
            hours[group["stream"]] += group["tokens"] / rate / 3600
    return {"hours": hours, "text_tokens": text_tokens, "name": manifest["name"]}
