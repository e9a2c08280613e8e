"""Versions of metrics: a figure says which network measured it, with which weights."""

from __future__ import annotations

from tests.evaluate.synthetic_run import ASR
from tests.score.small_wavlm import make_wavlm
from vaak.evaluate import measures
from vaak.evaluate.checkpoint import instruments
from vaak.score.similarity import open_embedder


def test_the_version_of_similarity_names_the_embedder_and_its_weights(tmp_path, monkeypatch):
    monkeypatch.delenv("VAAK_SPEAKER", raising=False)
    default, with_default = measures.versions(ASR, generated=False)["similarity"], instruments(ASR)
    assert default.startswith("1+resemblyzer-0.1") and default.endswith(f"@{open_embedder().hash[:12]}")
    found = set()
    for seed in range(2):
        folder = make_wavlm(tmp_path / str(seed) / "wavlm", seed)
        monkeypatch.setenv("VAAK_SPEAKER", str(folder))
        version = measures.versions(ASR, generated=False)["similarity"]
        assert version == f"1+wavlm@{open_embedder(folder).hash[:12]}"
        found |= {version, instruments(ASR)}
    assert len(found) == 4 and with_default not in found
