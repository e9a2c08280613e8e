"""A launch's gold pack stays the one that was frozen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.toy import big_corpus
from vaak.corpus.manifest import freeze_folder
from vaak.corpus.pack import open_pack
from vaak.errors import BadInput
from vaak.launch.console import Console
from vaak.launch.gates import gate_steps
from vaak.launch.ledger import Ledger
from vaak.launch.project import load_project
from vaak.launch.walk import Launch

PROJECT = """
name: small
corpora: ["{corpus}"]
tokenizer: example:tokenizer
codec: embedded
pack: {pack}
overfit: {{recipe: sft-tiny, samples: 2}}
stages: [{{name: sft, recipe: sft-tiny}}]
evaluate: {{final: sft}}
"""


def pack_step(folder: Path, pack: str) -> dict:
    """What the gate of the pack finds for a project that asks for `pack`."""
    (folder / "project.yaml").write_text(PROJECT.format(corpus=folder / "corpus", pack=pack))
    project = load_project(folder / "project.yaml")
    launch = Launch(project, folder, Ledger(folder / "ledger.jsonl"), Console(quiet=True), lambda: False)
    step = next(one for one in gate_steps(launch) if one.name == "pack")
    return step.run(launch)


def as_before_there_were_probes(folder: Path) -> None:
    manifest = open_pack(folder).manifest
    old = ("ce", "per_language", "cross_lingual", "long_form", "extended")
    wanted = {name: manifest["wanted"][name] for name in old}
    kept = ("format", "corpus", "codec", "tokenizer_hash", "seed", "notes")
    (folder / "MANIFEST.json").unlink()
    freeze_folder(folder, {name: manifest[name] for name in kept} | {"wanted": wanted})


def test_the_wishes_of_a_project_reach_its_pack(tmp_path):
    big_corpus(tmp_path / "corpus")
    found = pack_step(tmp_path, "{ce: 10, probes: 1, extended: 3, voices: new-first}")
    assert found["prompts"]["minimal_pair"] == 6 and found["prompts"]["extended"] == 9 and found["heard_voices"] == 3
    with pytest.raises(BadInput, match="frozen with probes = 1, the project now says 2; restore the project"):
        pack_step(tmp_path, "{ce: 10, extended: 3, voices: new-first}")


def test_a_pack_from_before_there_were_probes_goes_on(tmp_path):
    big_corpus(tmp_path / "corpus")
    first = pack_step(tmp_path, "{ce: 10, probes: 0}")
    as_before_there_were_probes(tmp_path / "pack")
    for same in ("{ce: 10}", "{ce: 10, probes: 0, voices: any, sources: []}"):
        assert pack_step(tmp_path, same)["prompts"] == first["prompts"]
    for other, name in (("{ce: 10, probes: 2}", "probes"), ("{ce: 10, voices: new-only}", "voices")):
        with pytest.raises(BadInput, match=f"frozen with {name} = "):
            pack_step(tmp_path, other)
