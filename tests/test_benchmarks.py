"""The benchmark runner collects what benchmarks write, and says which of them died."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks._card_items import Item, example_items, limited, read_list
from benchmarks.run import benchmark_names, main
from vaak.errors import BadInput

FIGURE = {"name": "speed", "value": 2.5, "unit": "×", "want": "≥ 2", "holds": True, "against": "a plain loop | numpy"}


def left_in(folder: Path) -> list[str]:
    """What a benchmark leaves where it may put temporary files, but for torch's own cache, which any optimizer makes."""
    return [one.name for one in folder.iterdir() if not one.name.startswith("torchinductor")]


def benchmark(folder, name: str, figures, code: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    text = "" if figures is None else f"import pathlib; pathlib.Path(sys.argv[2]).write_text({json.dumps(figures)!r})\n"
    (folder / f"{name}.py").write_text(f"import sys\nassert sys.argv[1] == '--json'\n{text}sys.exit({code})\n")


def test_figures_are_collected_into_one_page(tmp_path):
    folder = tmp_path / "benchmarks"
    benchmark(folder, "order", [FIGURE])
    benchmark(folder, "loader", [FIGURE | {"name": "rows", "value": 7}])
    assert main([], folder) == 0
    page = (tmp_path / "docs" / "figures.md").read_text()
    assert page.index("## loader") < page.index("## order")
    assert "| speed | 2.5 × | ≥ 2 | yes | a plain loop \\| numpy |" in page and "| rows | 7 × |" in page


@pytest.mark.parametrize(
    "figures,code,words",
    [
        ([FIGURE | {"holds": False}], 1, "**no**"),
        (None, 0, "wrote no readable figures"),
        ([], 0, "wrote no figure"),
        ([{"name": "speed"}], 0, "without value, unit, want, holds, against"),
        ([FIGURE], 3, "exit code 3"),
    ],
)
def test_what_does_not_hold_or_dies_is_said_and_ends_in_1(tmp_path, figures, code, words):
    benchmark(tmp_path / "benchmarks", "order", figures, code)
    assert main([], tmp_path / "benchmarks") == 1
    assert words in (tmp_path / "docs" / "figures.md").read_text()


@pytest.mark.slow
def test_the_corpus_benchmark_prints_all_that_it_promises_and_leaves_nothing(tmp_path):
    """In small sizes, whose figures say little: that it runs, and which lines there are."""
    root = Path(__file__).parents[1]
    out = subprocess.run(
        [sys.executable, "benchmarks/corpus.py", "--small", "--json", str(tmp_path / "figures.json")],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert out.returncode in (0, 1), out.stderr
    assert all(line.endswith((": met", ": NOT MET")) for line in out.stdout.splitlines())
    names = [figure["name"] for figure in json.loads((tmp_path / "figures.json").read_text())]
    assert names == [
        "open 1e+03 samples, time", "open 1e+03 samples, memory", "open 1e+06 samples, time", "open 1e+06 samples, memory",
        "random packed reads, speed", "verify, speed", "import, speed", "staging, speed",
    ]  # fmt: skip
    assert left_in(tmp_path) == ["figures.json"]


@pytest.mark.slow
def test_the_checkpoint_benchmark_prints_all_that_it_promises_and_leaves_nothing(tmp_path):
    root = Path(__file__).parents[1]
    out = subprocess.run(
        [sys.executable, "benchmarks/checkpoint.py", "--small", "--json", str(tmp_path / "figures.json")],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert out.returncode in (0, 1), out.stderr
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    assert list(figures) == [
        "loop held by a save beside it", "held, and steps slowed while it writes", "bytes of a full checkpoint",
        "resume at step 9,000,000", "list 100 checkpoints", "prune 100 checkpoints",
    ]  # fmt: skip
    assert figures["bytes of a full checkpoint"]["holds"]
    assert left_in(tmp_path) == ["figures.json"]


def test_the_loader_benchmark_measures_what_it_says(tmp_path):
    root = Path(__file__).parents[1]
    command = [
        sys.executable,
        str(root / "benchmarks" / "loader.py"),
        "--small",
        "--json",
        str(tmp_path / "figures.json"),
    ]
    out = subprocess.run(command, cwd=root, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    assert out.returncode in (0, 1), out.stderr
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    for stream in ("raw", "text", "paired"):
        assert figures[f"{stream}, rows a second"]["value"] > 0 and figures[f"{stream}, speed"]["value"] > 0
    assert figures["codes to ids, speed"]["value"] > 1
    # A million targets of a small corpus are within a point of both mixes already.
    for name in ("pt-s1", "sft"):
        assert figures[f"{name}, share off at 1e+06 targets"]["holds"]
    assert left_in(tmp_path) == ["figures.json"]


@pytest.mark.slow
def test_the_step_benchmark_prints_all_that_it_promises_and_leaves_nothing(tmp_path):
    """In sizes whose speeds and peaks say little; that both sides compute one and the same loss is true of any size."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "benchmarks/step.py", "--small", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    out = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert out.returncode in (0, 1), out.stderr
    assert all(line.endswith((": met", ": NOT MET", ": no limit")) for line in out.stdout.splitlines())
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    for kind in ("sft", "full rows"):
        assert figures[f"{kind}, first loss apart"]["holds"]
        for side in ("padded", "trainer"):
            assert figures[f"{kind}, speed by {side}"]["value"] > 0
    doubled = {f"{what} doubled, {cost}" for what in ("context", "vocabulary", "depth") for cost in ("seconds a step", "peak memory")}  # fmt: skip
    assert {"memory, forward and backward", "loop, all but model and optimizer", "model FLOPs", *doubled} <= set(
        figures
    )
    assert "mfu" in figures or "no CUDA device, so no MFU" in figures["model FLOPs"]["against"]
    assert left_in(tmp_path) == ["figures.json"]


@pytest.mark.slow
def test_the_speak_benchmark_prints_all_that_it_promises_and_leaves_nothing(tmp_path):
    """In sizes whose speeds say little."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "benchmarks/speak.py", "--small", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    out = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert out.returncode in (0, 1), out.stderr
    assert all(line.endswith((": met", ": NOT MET")) for line in out.stdout.splitlines())
    figures = {figure["name"]: figure["value"] for figure in json.loads((tmp_path / "figures.json").read_text())}
    assert list(figures) == [
        "speak.speed_at_4", "speak.speed_at_1", "speak.real_time_factor", "speak.first_sound", "speak.streamed",
    ]  # fmt: skip
    assert all(value > 0 for value in figures.values())
    assert left_in(tmp_path) == ["figures.json"]


@pytest.mark.slow
def test_the_codec_card_of_two_utterances(tmp_path):
    """One seen and one held-out voice by pocketsphinx: the lines, the table, and what was heard is kept."""
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed (pip install vaak[asr])")
    root = Path(__file__).parents[1]
    chosen = [next(item for item in example_items() if item.voice == voice) for voice in ("slt", "awb")]
    rows = [asdict(item) | {"path": str(item.path)} for item in chosen]
    (tmp_path / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "benchmarks/codec_card.py", "--asr", "pocketsphinx"]
    for name in ("list", "json", "markdown", "cache"):
        command += [f"--{name}", str(tmp_path / {"list": "heldout.jsonl", "cache": "heard"}.get(name, name))]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    out = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert out.returncode in (0, 1), out.stderr
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "json").read_text())}
    assert {"card.codebook_used", "card.entropy", "card.bits_per_second", "card.encode_real_time_factor"} <= set(
        figures
    )
    assert {"card.held_out_voices_wer_pocketsphinx", "card.held_out_voices_similarity"} <= set(figures)
    assert figures["card.bits_per_second"]["value"] == 600
    beside = "card.wer_pocketsphinx_beside_codec2_1200"
    assert beside in figures or "codec2: c2enc" in out.stdout
    card = (tmp_path / "markdown").read_text()
    assert "| slt (flite) | original | 1 |" in card and "| awb (flite, held out) | original | 1 |" in card
    assert "no WER by whisper" in out.stdout
    assert list((tmp_path / "heard").glob("pocketsphinx-*.json"))


def test_the_minimal_pairs_all_hold_and_whispers_normaliser_is_beside(tmp_path):
    root = Path(__file__).parents[1]
    command = [sys.executable, "benchmarks/minimal_pairs.py", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    out = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    figures = {figure["name"]: figure["value"] for figure in json.loads((tmp_path / "figures.json").read_text())}
    assert figures["ours, all, apart"] == figures["ours, all, same"] == 1.0
    # That it is nearly blind to vowel signs is why it is not used.
    assert figures["whisper, all, apart"] < 0.6 and figures["whisper, hi, apart"] < 0.6


def test_a_list_of_held_out_audio_says_what_is_wrong_with_it(tmp_path):
    good = {"path": "a.wav", "language": "en", "voice": "x", "engine": "person", "seen": False, "text": "hello"}
    (tmp_path / "a.wav").touch()
    place = tmp_path / "list.jsonl"
    place.write_text(json.dumps(good) + "\n\n")
    assert [(item.path, item.seen) for item in read_list(place)] == [(tmp_path / "a.wav", False)]
    place.write_text(json.dumps(good | {"language": "es"}) + "\n")
    assert (
        read_list(place)[0].language == "es"
    )  # a stranger to the table of languages has no words to measure, but sound
    for line, words in (
        ("{", "list.jsonl:1: is no JSON"),
        (json.dumps(good | {"seen": "no"}), "seen is missing"),
        (json.dumps(good | {"path": "b.wav"}), "no file 'b.wav'"),
        ("", "names no audio"),
    ):
        place.write_text(line + "\n")
        with pytest.raises(BadInput, match=words):
            read_list(place)


def test_a_limit_takes_the_languages_of_a_voice_in_turn(tmp_path):
    items = [Item(tmp_path, language, "x", "e", True, str(n)) for language in ("hi", "bn") for n in range(3)]
    items.append(Item(tmp_path, "en", "y", "e", True, ""))
    kept = limited(items, 3)
    assert [(item.voice, item.language, item.text) for item in kept] == [
        ("x", "hi", "0"), ("x", "hi", "1"), ("x", "bn", "0"), ("y", "en", ""),
    ]  # fmt: skip
    assert limited(items, 0) == items


def test_the_example_has_seen_and_held_out_voices():
    items = example_items()
    assert {item.voice for item in items if not item.seen} == {"awb", "bf_emma", "kiran"}
    assert {item.voice for item in example_items({"slt"}) if not item.seen} == {"slt"}
    assert all(item.path.is_file() for item in items)


def test_a_named_benchmark_runs_alone_and_writes_nothing(tmp_path):
    benchmark(tmp_path / "benchmarks", "order", [FIGURE])
    benchmark(tmp_path / "benchmarks", "broken", None)
    assert main(["order"], tmp_path / "benchmarks") == 0
    assert not (tmp_path / "docs").exists()
    assert main(["nothing"], tmp_path / "benchmarks") == 2
    assert benchmark_names(tmp_path / "benchmarks") == ["broken", "order"]
