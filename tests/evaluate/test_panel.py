"""The listening panel of a whole run, and what the command says to bad input."""

from __future__ import annotations

import re

import pytest

from tests.cli.test_doors import leave
from tests.evaluate.small_pack import make_pack
from tests.evaluate.synthetic_run import ASR, synthetic_run
from tests.evaluate.test_panel_figures import evaluation
from tests.speak.tiny_speaker import ToneCodec
from vaak.checkpoint.folder import COMPLETE, step_folder
from vaak.errors import BadInput
from vaak.evaluate import measures, open_results, panel, write_panel
from vaak.evaluate.panel_sounds import HEARD_CHECKPOINTS, HEARD_PROMPTS, to_hear
from vaak.evaluate.recognition import COUNTED
from vaak.storage.files import read_json, write_json

SOUND = re.compile(r'<figure class="player"><figcaption>([^<]*)</figcaption>')


def section(html: str, title: str) -> str:
    """One section of a page, from its heading to the next."""
    found = re.search(rf'<h2 id="heading-\d+">{title}</h2>(.*?)(?=<h2 |</main>)', html, re.DOTALL)
    assert found, title
    return found[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Eight synthetic checkpoints beside the small pack; a ninth that nobody evaluated."""
    folder = tmp_path_factory.mktemp("panel")
    pack = make_pack(folder)
    made = synthetic_run(folder, pack, ToneCodec(), 8)
    write_json(step_folder(made, 9000) / COMPLETE, {"id": f"run/9000/{9:064x}"})
    return made


@pytest.fixture(scope="module")
def html(run):
    given = {"pack": run.parent / "pack", "db": run.parent / "results.db", "codec": ToneCodec()}
    return write_panel(run, run.parent / "panel.html", **given).read_text()


def test_a_prompt_is_heard_from_the_recording_to_the_last_checkpoint(html, pack):
    listen = section(html, "Listen")
    assert "8 evaluated checkpoints; 5 can be heard here, the first, the last, and those evenly between" in listen
    steps = [f"step {step:,}" for step in (1000, 3000, 5000, 6000, 8000)]
    assert "step 1,000, 3,000, 5,000, 6,000, 8,000" in listen
    articles = listen.split('<article class="prompt">')[1:]
    assert len(articles) == 3 * HEARD_PROMPTS
    with_originals = [article for article in articles if "native" in article]
    assert with_originals and all(SOUND.findall(one) == ["original", "round trip", *steps] for one in with_originals)
    assert listen.count("<audio") == listen.count('<img alt="Spectrogram of')
    for language in ("English", "Hindi", "Tamil"):
        assert f"<h3>{language}</h3>" in listen and f"<h3>{language}</h3>" in section(html, "Curves")


def test_every_curve_has_a_table_and_references_and_proxies_are_named(html):
    curves = section(html, "Curves")
    figures = re.findall(r'<figure class="chart">.*?</figure>', curves, re.DOTALL)
    every = len(measures.versions(ASR))  # of all languages and of English; the recogniser knows no Hindi and no Tamil
    assert len(figures) == curves.count("The figures of this curve") == 2 * every + 2 * (every - len(COUNTED))
    assert all('role="img" aria-label="' in one for one in figures)
    assert "original: level at" in curves and "wrong text: level at" in curves and 'class="band"' in curves
    assert "no trusted recogniser in Hindi: there is no word error rate" in curves
    cloned = "proxy for 1 of them: decoded codes in place of a recording"
    assert cloned in curves or "proxy: decoded codes in place of a recording" in curves
    assert "to decoded codes (a proxy)" in section(html, "Listen") or "cross_lingual" not in section(html, "Listen")


def test_a_checkpoint_without_an_evaluation_is_an_alarm(html):
    alarms = section(html, "Alarms")
    assert "1 complete checkpoint has no finished evaluation on this pack: step 9,000" in alarms
    assert "Limits that older checkpoints broke" in alarms


def test_sound_gives_way_when_a_page_would_grow_too_large(run, html, codec, tmp_path, monkeypatch):
    limit = len(html.encode()) - 400_000
    monkeypatch.setattr(panel, "LARGEST_BYTES", limit)
    given = {"pack": run.parent / "pack", "db": run.parent / "results.db", "codec": codec}
    page = write_panel(run, tmp_path / "small.html", **given)
    assert page.stat().st_size < limit
    assert "more prompts were left out to keep this page small" in page.read_text()


def test_numbers_of_an_untrusted_recogniser_are_grey_and_decide_nothing(codec, tmp_path):
    pack = make_pack(tmp_path)
    run = synthetic_run(tmp_path, pack, codec, 2, floor=0.6)
    html = write_panel(run, tmp_path / "p.html", pack=pack.folder, db=tmp_path / "results.db", codec=codec).read_text()
    assert '<div class="undecided"><figure class="chart undecided">' in section(html, "Curves")
    assert "decides nothing: this recogniser is not trusted here" in section(html, "Curves")
    assert "word error rate" not in section(html, "In short") and "heard: " not in section(html, "Listen")


def test_first_last_and_evenly_between():
    evaluations = [evaluation(step) for step in range(300)]
    assert [one.step for one in to_hear(evaluations)] == [0, 75, 150, 224, 299]
    assert len(to_hear(evaluations[:3])) == 3 and to_hear([]) == () and HEARD_CHECKPOINTS == 5


def test_a_run_of_a_launch_needs_no_options_and_shows_its_audit(run, codec, tmp_path):
    launch = tmp_path / "launch"
    (launch / "stages").mkdir(parents=True)
    (launch / "project.yaml").write_text("name: x\n")
    for name in ("pack", "results.db", "generations"):
        (launch / name).symlink_to(run.parent / name)
    check = {"name": "code range", "severity": "error", "verdict": "holds", "passed": True, "examined": 3, "evidence": [], "detail": ""}  # fmt: skip
    write_json(launch / "audit.json", {"checks": [check], "examined": 3})
    stage = launch / "stages" / "sft"
    for folder in (run / "checkpoints").iterdir():
        write_json(stage / "checkpoints" / folder.name / COMPLETE, read_json(folder / COMPLETE))
    html = write_panel(stage, tmp_path / "p.html", codec=codec).read_text()
    assert "1 of 1 checks hold over 3 samples" in section(html, "Audit")
    assert "8 evaluated checkpoints" in html


def test_bad_input_is_one_sentence_and_exit_2(run, codec, tmp_path, capsys):
    pack, db = run.parent / "pack", run.parent / "results.db"
    from vaak.demo import project_file

    (tmp_path / "launch").mkdir()
    (tmp_path / "launch" / "project.yaml").write_bytes(project_file().read_bytes())
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ([tmp_path / "no"], "is not there; name the folder of a run or of a launch"),
        ([tmp_path / "empty"], "neither a run"),
        ([run], "name its gold pack with --pack and its results with --db"),
        ([run, "--pack", pack, "--db", tmp_path / "no.db"], "is not there; name the results database"),
        ([run, "--pack", tmp_path / "empty", "--db", db], "no MANIFEST.json"),
        ([run, "--pack", pack, "--db", db], "are of codec 000000000000, not of embedded"),
        ([tmp_path / "launch", "--pack", pack], "leave out --pack and --db"),
        ([run, "-o", tmp_path], "is a folder; name the file of the page"),
    ):
        code, _, err = leave(["report", "-o", str(tmp_path / "p.html"), *map(str, arguments)], capsys)
        assert code == 2 and words in err and len(err.strip().splitlines()) == 1, err
    other = make_pack(tmp_path / "other", seed=4)
    with pytest.raises(
        BadInput, match=f"nothing of pack {other.id[:16]}, only of {open_results(db).finished()[0]['pack_id'][:16]}"
    ):
        write_panel(run, tmp_path / "p.html", pack=other.folder, db=db, codec=codec)
    assert not (tmp_path / "p.html").exists() and not (tmp_path / "no.db").exists()
