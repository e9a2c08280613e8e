"""What the same instruments say about speech that no model made: the scale on which a checkpoint's figures are read.

Three references per pack: the original recordings (the floor of the recogniser, which decides whether it is trusted),
the codec's round trip of them (the best that any model on this codec can reach), and wrong text (what the recogniser
hears in an item scored against another item's text: the figure of a model that says something else).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vaak.codec import Codec, read_audio
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.evaluate import measures
from vaak.evaluate.held_out import HeldOut
from vaak.evaluate.items import check_pack_codec
from vaak.evaluate.recognition import COUNTED, ORIGINAL
from vaak.evaluate.store import Result, Results
from vaak.evaluate.turns import in_turn
from vaak.score.asr import Asr

WRONG_TEXT = "reference/wrong-text"


def round_trip_id(codec_hash: str) -> str:
    """The name under which the round trip of a codec is kept."""
    return f"reference/round-trip/{codec_hash[:12]}"


def reference_scores(
    pack: GoldPack,
    codec: Codec,
    asr: Asr,
    db: Results,
    *,
    held_out: HeldOut | None = None,
    threads: int = 1,
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Measure the three references of a pack; what is in the database already is not measured again.

    With `held_out` its judges measure them too, which says in which languages its recogniser is trusted.
    `threads` prompts are measured at once, each on one core (a recogniser opened for as many); `progress` is told how
    many prompts are done and how many there are. Raises `BadInput` when the pack's codes are of another codec, and
    `Stopped` when `stop` turned true.
    """
    check_pack_codec(pack, codec)
    version_of = measures.versions(asr, generated=False, held_out=held_out)
    subjects = (ORIGINAL, round_trip_id(codec.hash))
    done = {subject: db.items_with(subject, pack.id, version_of) for subject in subjects}

    def measured(prompt: Prompt) -> list[Result]:
        return [
            row
            for subject in subjects
            for row in _measure_one(subject, prompt, pack, codec, asr, held_out, done[subject].get(prompt.item, set()))
        ]

    for number, rows in enumerate(in_turn(measured, pack.prompts, threads, stop)):
        db.write(rows)
        progress(number + 1, len(pack.prompts))
    _wrong_text(pack, version_of, db)
    say(f"references of pack {pack.id[:12]} are measured")


def _measure_one(
    subject: str,
    prompt: Prompt,
    pack: GoldPack,
    codec: Codec,
    asr: Asr,
    held_out: HeldOut | None,
    written: set[str],
) -> list[Result]:
    original = subject == ORIGINAL
    if prompt.reference_audio is None if original else prompt.reference_codes is None:
        return []
    voice = None if original or prompt.reference_audio is None else measures.voice_of(prompt, codec)
    has_voice = voice is not None
    wanted = measures.metrics_of(prompt, asr, generated=False, has_voice=has_voice, held_out=held_out) - written
    if not wanted:
        return []
    if original:
        assert prompt.reference_audio is not None
        wave, rate = read_audio(prompt.reference_audio, measures.RATE), measures.RATE
    else:
        assert prompt.reference_codes is not None
        wave, rate = codec.decode(prompt.reference_codes), codec.output_rate
    figures = measures.measure(measures.Sound(prompt, wave, rate, voice=voice), asr, wanted, held_out)
    version_of = measures.versions(asr, generated=False, held_out=held_out)
    return [
        Result(subject, pack.id, name, version_of[name], prompt.language, prompt.item, one.value, one.detail)
        for name, one in figures.items()
    ]


def _wrong_text(pack: GoldPack, version_of: dict[str, str], db: Results) -> None:
    """What was heard in each original recording against the text of the item half the list away."""
    heard = {
        row.item: row.detail["heard"]
        for row in db.read(ORIGINAL, pack.id)
        if row.metric == "wer" and row.metric_version == version_of["wer"]
    }
    by_language: dict[str, list[Prompt]] = {}
    for prompt in pack.prompts:
        if prompt.item in heard:
            by_language.setdefault(prompt.language, []).append(prompt)
    rows = []
    for language, prompts in by_language.items():
        for i, prompt in enumerate(prompts):
            other = _other_text(prompts, i)
            if other is None:
                continue
            for metric in ("wer", "cer", "code_point_cer"):
                counts = COUNTED[metric](other.text, heard[prompt.item], language)
                detail = {"against": other.item, **vars(counts)}
                detail |= {"heard": heard[prompt.item]} if metric == "wer" else {}
                version = version_of[metric]
                rows.append(Result(WRONG_TEXT, pack.id, metric, version, language, prompt.item, counts.rate, detail))
    db.write(rows)


def _other_text(prompts: Sequence[Prompt], i: int) -> Prompt | None:
    """The first item with another text, searched from half the list away."""
    for step in range(len(prompts)):
        other = prompts[(i + len(prompts) // 2 + step) % len(prompts)]
        if other.text != prompts[i].text:
            return other
    return None
