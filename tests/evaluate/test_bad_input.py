"""What an evaluation does with input that is wrong or lacks something: scored or refused in a sentence, never dropped.

The table is in docs/evaluate.md. Codec and recogniser are the room's doubles, also behind the doors.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluate.small_pack import AsrDouble, add_checkpoint
from tests.speak.tiny_speaker import CODES, ToneCodec, tiny_model, tiny_tokenizer
from vaak.checkpoint import export_model, save_checkpoint
from vaak.cli.main import main
from vaak.corpus.manifest import freeze_folder, read_manifest
from vaak.corpus.pack import PACK_FORMAT, open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput, CheckFailed
from vaak.evaluate import evaluate_checkpoint, item_results, list_jobs, open_results, reference_scores, summary
from vaak.evaluate import generations as generations_module
from vaak.evaluate.following import follow
from vaak.evaluate.generations import Spoken
from vaak.evaluate.summaries import NO_ASR
from vaak.grammar.tokenizer import train_tokenizer
from vaak.score.asr import open_asr


@pytest.fixture
def doors(pack, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """(exit code, standard output, standard error) of a command whose codec and recogniser are the doubles."""
    for module in ("checkpoint", "following"):
        monkeypatch.setattr(f"vaak.evaluate.{module}.open_codec", lambda name: ToneCodec())
        monkeypatch.setattr(f"vaak.evaluate.{module}.open_asr", lambda threads=1: AsrDouble(pack))

    def leave(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return leave


def refused(found: tuple[int, str, str], *words: str, code: int = 2) -> None:
    """One sentence on standard error, no traceback."""
    assert found[0] == code and found[2].startswith("vaak: ") and found[2].count("\n") == 1, found
    assert all(word in found[2] for word in words), found[2]


def changed_pack(pack: GoldPack, folder: Path, change: Callable[[dict[str, Any]], None]) -> GoldPack:
    """A copy of a pack whose prompts were changed before it was frozen."""
    shutil.copytree(pack.folder, folder)
    rows = json.loads((folder / "prompts.json").read_text())
    for row in rows:
        change(row)
    (folder / "prompts.json").write_text(json.dumps(rows))
    manifest = read_manifest(folder, PACK_FORMAT)
    (folder / "MANIFEST.json").unlink()
    freeze_folder(folder, {name: value for name, value in manifest.items() if name not in ("id", "files")})
    return open_pack(folder)


def sidecar(runs: list[Path], pack: GoldPack, tmp_path: Path):
    (tmp_path / "stop").touch()
    options = {"stop_file": tmp_path / "stop", "codec": ToneCodec(), "asr": AsrDouble(pack), "poll_seconds": 0.01}
    return follow(runs, pack, tmp_path / "r.db", **options, say=lambda line: None)


def test_a_language_without_a_recogniser_has_all_but_words_and_says_why(pack, checkpoint, doors, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal breaks the words of a cell over lines
    code, out, _ = doors("evaluate", checkpoint.path, "--pack", pack.folder, "--db", tmp_path / "r.db")
    assert code == 0 and NO_ASR in next(line for line in out.splitlines() if " ta " in f" {line} ")
    found = summary(tmp_path / "r.db", checkpoint.id)
    assert found["items"] == len(pack.prompts)
    for code in ("hi", "ta"):
        figures = found["languages"][code]
        assert figures["items"] == sum(prompt.language == code for prompt in pack.prompts)
        assert figures["wer"] is None and NO_ASR in figures["wer_note"]
        assert {"stop_rate", "dnsmos", "similarity", "silence_share", "loop_share"} <= figures.keys()


def test_without_any_recogniser_it_is_refused(pack, checkpoint, doors, monkeypatch, tmp_path):
    monkeypatch.delenv("VAAK_ASR", raising=False)
    monkeypatch.setattr("vaak.score.asr._installed", lambda module: False)
    monkeypatch.setattr("vaak.evaluate.checkpoint.open_asr", open_asr)
    found = doors("evaluate", checkpoint.path, "--pack", pack.folder, "--db", tmp_path / "r.db")
    refused(found, "no recogniser is installed", "VAAK_ASR")


def test_an_export_is_scored_like_its_checkpoint(pack, checkpoint, codec, asr, doors, tmp_path):
    """Its id is a hash of its weights: it has no step."""
    export_model(checkpoint.path, tmp_path / "model")
    identity = evaluate_checkpoint(tmp_path / "model", pack, codec, tmp_path / "r.db", level="quick", asr=asr)
    evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", level="quick", asr=asr)
    assert identity.startswith("export/")
    exported, own = (item_results(tmp_path / "r.db", one) for one in (identity, checkpoint.id))
    assert exported == own and exported
    code, out, _ = doors("evaluate", tmp_path / "model", "--pack", pack.folder, "--db", tmp_path / "r.db", "--quick")
    assert code == 0 and identity in out


def test_an_export_of_another_vocabulary_is_refused(pack, checkpoint, codec, asr, doors, tmp_path):
    export_model(checkpoint.path, tmp_path / "model")
    other = train_tokenizer(["the quick brown fox", "मेरी बेटी"] * 4, 270)
    (tmp_path / "model" / "tokenizer.json").write_text(other.source)
    with pytest.raises(BadInput, match=rf"tokenizer\.json has {other.size} ids"):
        evaluate_checkpoint(tmp_path / "model", pack, codec, tmp_path / "r.db", asr=asr)
    refused(
        doors("evaluate", tmp_path / "model", "--pack", pack.folder, "--db", tmp_path / "r.db"),
        "tokenizer.json",
        "the model was trained with",
    )
    assert open_results(tmp_path / "r.db").read() == []


def test_an_export_of_another_codec_is_refused_and_a_checkpoint_fails_alone(pack, codec, asr, doors, tmp_path):
    tokenizer = tiny_tokenizer()
    model = tiny_model(codes=CODES // 2, base_size=tokenizer.size)
    files = {"tokenizer.json": tokenizer.source.encode()}
    other = save_checkpoint(tmp_path / "one", 10, model, state={"step": 10}, files=files)
    good = add_checkpoint(tmp_path / "one", 20)
    export_model(other.path, tmp_path / "model")
    for named in (tmp_path / "model", other.path):
        found = doors("evaluate", named, "--pack", pack.folder, "--db", tmp_path / "r.db")
        refused(found, "64 codes, the model 32", "use the codec that the model was trained with")
    done = sidecar([tmp_path / "one"], pack, tmp_path)
    assert done.evaluated == [good.id] and "64 codes, the model 32" in done.failed[other.id]


def test_a_pack_of_another_codec_is_refused(pack, checkpoint, doors, monkeypatch, tmp_path):
    monkeypatch.setattr(ToneCodec, "hash", "1" * 64)
    for verb in ("evaluate", "sidecar"):
        found = doors(verb, checkpoint.path, "--pack", pack.folder, "--db", tmp_path / "r.db")
        refused(found, "name the codec that the pack was built with")


def test_a_pack_without_audio_is_scored_against_decoded_codes_and_says_so(pack, checkpoint, codec, asr, tmp_path):
    silent = changed_pack(pack, tmp_path / "pack", lambda row: row.update(reference_audio=None))
    db = open_results(tmp_path / "r.db")
    reference_scores(silent, codec, asr, db)
    identity = evaluate_checkpoint(checkpoint.path, silent, codec, db, asr=asr)
    found = summary(db, identity)
    assert found["items"] == len(silent.prompts)
    # Nothing has shown that the recogniser can be trusted: there is no original to hear.
    assert found["languages"]["en"]["wer"] is None and "original recordings" in found["languages"]["en"]["wer_note"]
    made_of = {row.detail["reference"] for row in db.read(identity) if row.metric == "similarity"}
    assert made_of == {"decoded codes (a proxy)"}


def test_a_pack_whose_audio_was_lost_is_refused_by_name(pack, checkpoint, codec, asr, doors, tmp_path):
    shutil.copytree(pack.folder, tmp_path / "pack")
    lost = next((tmp_path / "pack" / "audio").rglob("*.ogg"))
    lost.unlink()
    with pytest.raises(CheckFailed, match=lost.name):
        evaluate_checkpoint(checkpoint.path, tmp_path / "pack", codec, tmp_path / "r.db", asr=asr)
    for verb in ("evaluate", "sidecar"):
        found = doors(verb, checkpoint.path, "--pack", tmp_path / "pack", "--db", tmp_path / "r.db")
        refused(found, lost.name, "restore it from its copy", code=1)


def test_audio_that_is_lost_while_a_sidecar_runs_fails_the_job_by_name_and_what_is_written_stays(pack, tmp_path):
    shutil.copytree(pack.folder, tmp_path / "pack")
    opened = open_pack(tmp_path / "pack")
    lost = next(prompt.reference_audio for prompt in reversed(opened.prompts) if prompt.reference_audio is not None)
    lost.unlink()
    one = add_checkpoint(tmp_path / "one", 10)
    write_done(tmp_path / "one")
    (tmp_path / "stop").touch()
    options = {"stop_file": tmp_path / "stop", "codec": ToneCodec(), "asr": AsrDouble(pack), "poll_seconds": 0.01}
    done = follow([tmp_path / "one"], opened, tmp_path / "r.db", **options, full=["one"])
    assert done.evaluated == [] and lost.name in done.failed[one.id]
    results = open_results(tmp_path / "r.db")
    assert {job["state"] for job in list_jobs(results.database)} == {"failed"} and results.read(one.id) != []
    shutil.copy(pack.folder / lost.relative_to(opened.folder), lost)
    assert follow([tmp_path / "one"], opened, tmp_path / "r.db", **options, full=["one"]).failed == {}
    assert summary(results, one.id)["items"] == len(pack.prompts)


def write_done(run: Path) -> None:
    (run / "DONE.json").write_text("{}")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_transcript_is_a_crash_of_its_item_and_stays_in_every_mean(
    pack, checkpoint, codec, asr, tmp_path, text
):
    victim = next(prompt.item for prompt in pack.prompts if prompt.language == "en")
    empty = changed_pack(pack, tmp_path / "pack", lambda row: row.update(text=text) if row["item"] == victim else None)
    identity = evaluate_checkpoint(checkpoint.path, empty, codec, tmp_path / "r.db", asr=asr)
    items = item_results(tmp_path / "r.db", identity)
    assert len(items) == len(pack.prompts)
    worst = items[victim]
    assert (worst["crashed"], worst["stopped"], worst["dnsmos"], worst["silence_share"]) == (1.0, 0.0, 1.0, 1.0)
    # No word was wanted and none was said: it neither helps nor harms a rate of summed counts.
    [row] = [row for row in open_results(tmp_path / "r.db").read(identity) if (row.item, row.metric) == (victim, "wer")]
    assert (row.value, row.detail["ref"]) == (0.0, 0)
    [row] = [
        row for row in open_results(tmp_path / "r.db").read(identity) if (row.item, row.metric) == (victim, "crashed")
    ]
    assert "the text is empty" in row.detail["reason"]
    assert summary(tmp_path / "r.db", identity)["languages"]["en"]["crashed"] == pytest.approx(
        1 / sum(prompt.language == "en" for prompt in pack.prompts)
    )


def test_items_that_crash_alike_are_theirs_once_others_were_spoken(pack, checkpoint, codec, asr, tmp_path):
    """The quick evaluation was fine; of what the full one adds, everything has an empty text."""
    from vaak.evaluate.items import items_of

    quick = {prompt.item for prompt in items_of(pack, "quick")}
    empty = changed_pack(pack, tmp_path / "pack", lambda row: row.update(text="") if row["item"] not in quick else None)
    evaluate_checkpoint(checkpoint.path, empty, codec, tmp_path / "r.db", level="quick", asr=asr)
    identity = evaluate_checkpoint(checkpoint.path, empty, codec, tmp_path / "r.db", asr=asr)
    crashed = {item for item, row in item_results(tmp_path / "r.db", identity).items() if row["crashed"]}
    assert crashed == {prompt.item for prompt in pack.prompts} - quick


def test_a_fault_of_the_program_after_others_were_spoken_is_raised(pack, checkpoint, codec, asr, tmp_path, monkeypatch):
    """As when a device is lost: what was spoken before is not spoken any more."""
    evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", level="quick", asr=asr)

    def lost(*_):
        raise RuntimeError("the device is lost")

    monkeypatch.setattr(generations_module, "_generate", lost)
    with pytest.raises(RuntimeError, match="device is lost"):
        evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)


def test_a_text_that_has_no_room_in_the_model_is_a_crash_of_its_item(pack, checkpoint, codec, asr, tmp_path):
    victim = next(prompt.item for prompt in pack.prompts if prompt.language == "en")
    long = " ".join(["quick brown fox"] * 400)
    changed = changed_pack(
        pack, tmp_path / "pack", lambda row: row.update(text=long) if row["item"] == victim else None
    )
    identity = evaluate_checkpoint(checkpoint.path, changed, codec, tmp_path / "r.db", asr=asr)
    rows = {row.metric: row for row in open_results(tmp_path / "r.db").read(identity) if row.item == victim}
    assert rows["crashed"].value == rows["wer"].value == 1.0 and "512 positions" in rows["crashed"].detail["reason"]
    assert summary(tmp_path / "r.db", identity)["items"] == len(pack.prompts)


def test_a_generation_without_codes_has_the_worst_of_every_figure_and_is_no_crash(
    pack, checkpoint, codec, asr, tmp_path, monkeypatch
):
    """The model stopped at once."""
    victim = next(prompt for prompt in pack.prompts if prompt.language == "en" and prompt.reference_codes is not None)
    generate = generations_module._generate

    def silent(model, tokenizer, prompts):
        return [
            Spoken(one.item, one.text, one.language, np.zeros(0, np.uint16), True, "")
            if one.item == victim.item
            else one
            for one in generate(model, tokenizer, prompts)
        ]

    monkeypatch.setattr(generations_module, "_generate", silent)
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    item = item_results(tmp_path / "r.db", identity)[victim.item]
    assert item["crashed"] == 0.0 and item["stopped"] == 1.0 and item["duration_ratio"] == 0.0
    assert (item["wer"], item["dnsmos"], item["similarity"], item["silence_share"]) == (1.0, 1.0, 0.0, 1.0)
    assert (item["repeat_rate"], item["loop_share"]) == (0.0, 0.0)
    done = sidecar([checkpoint.path.parents[1]], pack, tmp_path)  # its full evaluation covers the quick look
    assert done.evaluated == [] and done.failed == {}


def test_an_item_whose_codes_the_codec_cannot_decode_is_a_crash_of_its_item(
    pack, checkpoint, codec, asr, tmp_path, monkeypatch
):
    generate = generations_module._generate
    victim = next(prompt for prompt in pack.prompts if prompt.language == "hi")

    def strange(model, tokenizer, prompts):
        return [
            replace(one, codes=np.full(7, CODES + 1, np.uint16)) if one.item == victim.item else one
            for one in generate(model, tokenizer, prompts)
        ]

    decode = codec.decode

    def decoded(codes):
        if np.max(codes) >= CODES:
            raise BadInput("a code outside of the codebook")
        return decode(codes)

    monkeypatch.setattr(generations_module, "_generate", strange)
    monkeypatch.setattr(codec, "decode", decoded)
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    item = item_results(tmp_path / "r.db", identity)[victim.item]
    assert (item["crashed"], item["dnsmos"], item["silence_share"]) == (1.0, 1.0, 1.0)
    assert summary(tmp_path / "r.db", identity)["items"] == len(pack.prompts)
