"""What benchmarks/text.py is measured with: a dump like a crawl's, the peer made of datatrove's blocks, the libraries alone."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from vaak.grammar.tokenizer import train_tokenizer
from vaak.languages import LANGUAGES, script_of

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """Imports a file of the benchmarks, which import one another as scripts of one folder do."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def imported(name: str) -> ModuleType:
        return importlib.import_module(name)

    return imported


@pytest.fixture
def dump(module, tmp_path):
    return module("_text_documents").write_dump(tmp_path / "dump", 0.6, seed=3)


def tokenizer_of(documents: ModuleType, dump, folder: Path) -> Path:
    texts = [text for language in dump.files for text in documents.texts_of(dump, language)]
    path = folder / "tokenizer.json"
    path.write_text(train_tokenizer(texts[::5], 2000).source, "utf-8")
    return path


def test_a_dump_has_all_languages_and_what_a_crawl_holds_and_is_the_same_each_time(module, dump, tmp_path):
    documents = module("_text_documents")
    again = documents.write_dump(tmp_path / "again", 0.6, seed=3)
    assert list(dump.files) == list(LANGUAGES)
    for language, paths in dump.files.items():
        assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again.files[language]]
    texts = {language: list(documents.texts_of(dump, language)) for language in dump.files}
    assert sum(len(text.encode()) for one in texts.values() for text in one) == dump.size
    english = sum(len(text.encode()) for text in texts["en"]) / dump.size
    assert dump.size == pytest.approx(0.6e6, rel=0.2) and english == pytest.approx(0.5, abs=0.1)
    assert set(Counter(dump.kinds.values())) == {*documents.KINDS, "plain"}
    plain = [
        text
        for text, name in zip(texts["ta"], (n for n in dump.kinds if n[:2] == "ta"), strict=True)
        if dump.kinds[name] == "plain"
    ]
    assert all(script_of(text)["Tamil"] > 0.6 for text in plain)
    assert len(set(plain)) == len(plain) and all(100 < len(text) < 9_000 for text in plain)


@pytest.mark.slow
def test_the_peer_keeps_what_is_plain_and_drops_what_was_planted_with_one_worker_as_with_two(
    module, dump, tmp_path, monkeypatch
):
    for name in ("HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # run_datatrove sets them for its process; put back afterwards
    peer = module("_text_datatrove")
    if said := peer.missing():
        pytest.skip(said)
    tokenizer = tokenizer_of(module("_text_documents"), dump, tmp_path)
    one = peer.run_datatrove(dump, tokenizer, tmp_path / "one", 1)
    two = peer.run_datatrove(dump, tokenizer, tmp_path / "two", 2)
    kept = peer.ids_kept(tmp_path / "one")
    assert kept == peer.ids_kept(tmp_path / "two") and one["dropped"] == two["dropped"]
    assert one["kept"] + sum(one["dropped"].values()) == len(dump.kinds)
    assert one["kept"] + one["dropped"].get("too long", 0) == len(kept)
    shares = {
        kind: sum(name in kept for name, its in dump.kinds.items() if its == kind)
        / list(dump.kinds.values()).count(kind)
        for kind in set(dump.kinds.values())
    }
    assert shares["short"] == shares["wrong language"] == shares["exact duplicate"] == shares["repetitive"] == 0
    assert shares["near duplicate"] <= 0.3 and shares["plain"] >= 0.97 and shares["markup"] >= 0.8
    stored = sum(path.stat().st_size // 4 for path in (tmp_path / "one" / "tokens").rglob("*.ds"))
    assert stored == one["tokens"] > 0


def test_each_library_step_takes_all_texts_and_is_timed(module, dump, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    documents, libraries = module("_text_documents"), module("_text_libraries")
    steps = libraries.library_steps(tokenizer_of(documents, dump, tmp_path))
    texts = list(documents.texts_of(dump, "en"))
    for name, step in steps.items():
        assert len(step(texts[:3])) == 3, name
        assert libraries.megabytes_per_second(step, texts, 0.05) > 0, name
