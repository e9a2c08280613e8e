"""The page of a run: its curves, spikes, skipped steps, checkpoints and profile are those of its folder, links included."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
from pathlib import Path

import pytest

from tests.cli.test_doors import leave
from tests.evaluate.small_pack import make_pack
from tests.evaluate.synthetic_run import synthetic_run
from tests.evaluate.test_panel import section
from tests.speak.tiny_speaker import ToneCodec
from vaak.checkpoint.folder import COMPLETE, step_folder
from vaak.evaluate import write_panel
from vaak.launch.report_run import write_run_report
from vaak.storage.files import write_bytes, write_json
from vaak.track import JsonlTracker

RECIPE = """
name: pt-s1-tiny
kind: pretrain
parent: runs/before
corpora: [data/speech]
codec: embedded
tokens_per_step: 1024
length: {steps: 4000}
profile: PROFILE
"""
OPERATIONS = [
    {"name": "aten::mm", "calls_per_step": 30.0, "host_ms_per_step": 1.5, "device_ms_per_step": 75.0},
    {"name": "aten::copy_", "calls_per_step": 8.0, "host_ms_per_step": 0.5, "device_ms_per_step": 25.0},
]


def row_of(step: int) -> dict:
    loss = 99.5 if step == 1234 else math.nan if step in (777, 778) else 3.0 + 5 / step
    return {
        "time": 2.0 * step, "tokens": 1024 * step, "audio_hours": step / 100, "step_s": 1.5, "loss": loss,
        "loss/audio": 3.2, "loss/text": 2.1, "loss/stream/raw": 3.0, "loss/language/hi": 3.1, "loss/language/en": 2.9,
        "loss/source/studio": 3.0, "grad_norm": 1.0, "lr": 1e-4, "tokens_per_s": 680.0, "data_wait": 0.01,
        "padding": 0.02, "skipped": int(step > 500), "nonfinite": 0, "spikes": int(step > 500),
    }  # fmt: skip


def make_run(folder: Path, steps: int = 2500, profile: str = "true") -> Path:
    with JsonlTracker(folder / "metrics.jsonl") as tracker:
        for step in range(1, steps + 1):
            tracker.log(row_of(step), step)
            if step % 500 == 0:
                tracker.log(
                    {"val/loss": 3.0 + step / 1e4, "val/audio": 3.1, "val/text": 2.0, "val/language/hi": 3}, step
                )
    write_bytes(folder / "recipe.yaml", RECIPE.replace("PROFILE", profile).encode())
    write_json(folder / "inputs.json", {"corpora": ["c0ffee", "decaf0"]})
    for step in (1000, 2000):
        write_json(step_folder(folder, step) / COMPLETE, {"id": f"one/{step}/{step:064x}"})
    rows = [{"row": 4000, "loss": 3.0}, {"row": 4007, "loss": "NaN"}]
    fault = {"step": 501, "fault": "spike", "grad_norm": 88.5, "limit": 4.5, "loss": 3.5, "rows": rows}
    write_json(folder / "skipped" / "step-00000501.json", fault)
    return folder


def add_profile(folder: Path) -> None:
    summary = {"steps": 500, "profiled_steps": 19, "step_s_median": 1.5, "step_s_p95": 1.75, "data_wait": 0.0125}
    write_json(folder / "profile" / "summary.json", summary | {"operations": OPERATIONS})
    for name in ("trace-early.json.gz", "trace-steady.json.gz"):
        write_bytes(folder / "profile" / name, b"trace")


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("report") / "one")
    add_profile(folder)
    return folder


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return write_run_report(run).read_text(encoding="utf-8")


def test_the_head_says_what_run_it_is_and_how_far(html: str) -> None:
    head = plain(section(html, "The run"))
    for words in ("2,500 of 4,000", "pt-s1-tiny, pretrain", "runs/before", "data/speech", "c0ffee, decaf0", "2.56 M",
                  "25.0 hours of audio", "1 h 23 min", "75.0% of it in steps", "683 tokens/s"):  # fmt: skip
        assert words in head, words


def test_a_spike_of_one_step_and_what_is_not_finite_are_there(html: str) -> None:
    losses = section(html, "Losses")
    assert "all: not finite in 2 steps (777, 778)" in losses
    assert 'class="band"' in losses and "(mean, lowest and highest of each part)" in losses
    assert re.search(
        r"all: highest 99\.5 near step 1,23\d, outside of the picture", losses
    )  # it would make the rest a line
    table = plain(losses[losses.index("Losses, nats") :])
    assert re.search(r"loss 8 3\.002 3\.002 2,\d+ 99\.5 1,23\d 2", table), table[:400]
    assert all(name in losses for name in ("by stream", "by language", "by source", "Hindi", "English", "studio"))
    assert "Validation loss by language" in section(html, "Validation")


def test_links_lead_to_the_files_from_wherever_the_page_lies(run: Path, html: str, tmp_path: Path) -> None:
    elsewhere = write_run_report(run, tmp_path / "pages" / "a page.html")
    for page, text in ((run / "report.html", html), (elsewhere, elsewhere.read_text(encoding="utf-8"))):
        ways = [way for way in re.findall(r'href="([^"#]+)"', text) if not way.startswith("data:")]
        found = {(page.parent / urllib.parse.unquote(way)).resolve() for way in ways}
        assert all(one.exists() for one in found)
        assert {one.name for one in found} == {
            "trace-early.json.gz", "trace-steady.json.gz", "step-00000501.json", "step-00001000", "step-00002000",
        }  # fmt: skip


def test_skipped_steps_checkpoints_and_the_profile_are_tables(html: str) -> None:
    skipped = plain(section(html, "Skipped steps"))
    assert "501 spike 88.5 4.5 3.5 4,000 – 4,007" in skipped
    checkpoints = plain(section(html, "Checkpoints of the run"))
    assert "2,000 full 3.2" in checkpoints.replace("model only", "full")
    profile = plain(section(html, "Where the time goes"))
    assert "median 1,500.0 ms, 95% within 1,750.0 ms, 1.2% of the time waiting for data" in profile
    assert "aten::mm 30.0 1.500 75.000 75.0%" in profile and "ui.perfetto.dev" in profile


def test_a_recipe_without_a_profile_is_named(tmp_path: Path) -> None:
    off, on = make_run(tmp_path / "off", 3, "false"), make_run(tmp_path / "on", 3)
    assert "no profile: this recipe has `profile: false`" in write_run_report(off).read_text()
    assert "no profile yet" in write_run_report(on).read_text()


def test_a_run_that_has_just_begun_or_is_torn_has_a_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "one", 1)
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 2, "lo')
    assert "1 of 4,000" in plain(section(write_run_report(run).read_text(), "The run"))
    write_bytes(run / "metrics.jsonl", b"")
    (run / "recipe.yaml").write_text("not: [a recipe")
    assert "Checkpoints of the run" in write_run_report(run).read_text()


def test_a_length_in_tokens_is_as_many_steps_as_the_run_will_have(tmp_path: Path) -> None:
    run = make_run(tmp_path, 3)
    text = (
        (run / "recipe.yaml").read_text().replace("{steps: 4000}", "{tokens: 102500}")
    )  # 100.1 steps: the last is begun
    write_bytes(run / "recipe.yaml", text.encode())
    assert "3 of 101" in plain(section(write_run_report(run).read_text(), "The run"))


def test_an_alignment_has_rewards_in_place_of_losses(tmp_path: Path) -> None:
    write_bytes(tmp_path / "recipe.yaml", b"name: grpo-tiny\nkind: grpo\nparent: runs/sft\nsteps: 50\n")
    with JsonlTracker(tmp_path / "metrics.jsonl") as tracker:
        for step in range(1, 21):
            row = {"reward": step / 40, "reward/content": 0.5, "reward/language/hi": 0.25, "kl": 0.01, "gated": 0.1,
                   "dropped": 0.0, "loss": 0.0, "grad_norm": 1.0, "lr": 1e-6, "time": 3.0 * step, "step_s": 2.5,
                   "skipped": 0, "judges/groups": 4 * step}  # fmt: skip
            tracker.log(row, step)
    html = write_run_report(tmp_path).read_text()
    assert "20 of 50" in plain(section(html, "The run")) and "Losses" not in html
    reward = section(html, "Reward")
    assert "Hindi" in reward and "Parts of the reward" in reward and "content" in reward
    assert "Divergence from the parent" in section(html, "How it got there")
    assert section(html, "Skipped steps").strip().endswith("None.</p>") or "None." in section(html, "Skipped steps")


def test_with_a_pack_and_results_the_page_is_the_listening_panel_too(tmp_path: Path) -> None:
    pack = make_pack(tmp_path)
    run = synthetic_run(tmp_path, pack, ToneCodec(), 2)
    html = write_panel(
        run,
        tmp_path / "p.html",
        pack=pack.folder,
        db=tmp_path / "results.db",
        codec=ToneCodec(),
        beside={"Losses": ["here"]},
    ).read_text()
    assert html.index(">Listen<") < html.index(">Losses<") and "here" in section(html, "Losses")


def test_the_door_writes_into_the_run_and_refuses_in_one_sentence(tmp_path: Path, capsys) -> None:
    run = make_run(tmp_path / "one", 3)
    code, out, _ = leave(["report", str(run)], capsys)
    assert code == 0 and f"the page: {run / 'report.html'}" in out and (run / "report.html").is_file()
    (tmp_path / "bare" / "checkpoints").mkdir(parents=True)
    for arguments, words in (
        ([tmp_path / "bare"], "has no metrics.jsonl, so there are no curves"),
        ([run, "-o", tmp_path], "is a folder"),
        ([run, "--pack", tmp_path], "name its gold pack with --pack and its results with --db"),
    ):
        code, _, err = leave(["report", *map(str, arguments)], capsys)
        assert code == 2 and words in err and len(err.strip().splitlines()) == 1
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b"damage\n")
    code, _, err = leave(["report", str(run)], capsys)
    assert code == 2 and "line 4 is not a JSON object" in err
    assert json.loads((run / "inputs.json").read_text())
