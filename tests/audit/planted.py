"""Faults of many kinds, planted at known samples of a corpus that is clean otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.audit.clean import CODEBOOK, ENTRY, Draft, clean_draft, codes_of, sentence
from vaak.corpus import Corpus, CorpusWriter, Sample, open_corpus
from vaak.corpus.pack import build_pack, open_pack
from vaak.corpus.pack_items import GoldPack

# What is planted: kind of fault -> (the check that must find it, the ids at fault).
Truth = dict[str, tuple[str, set[str]]]


@dataclass
class Planted:
    """A frozen corpus with faults, a gold pack that was made before they came in, and where they are."""

    corpus: Corpus
    pack: GoldPack
    truth: Truth

    @property
    def ids(self) -> set[str]:
        """Every sample at fault."""
        return set().union(*(ids for _, ids in self.truth.values()))


def write(folder: Path, draft: Draft) -> Corpus:
    writer = CorpusWriter(folder, "planted", ENTRY, draft.tokenizer.hash)
    for stream, sample, tokens in draft.samples:
        writer.add(stream, sample, tokens)
    writer.freeze()
    return open_corpus(folder)


def build_clean(folder: Path, samples: int, seed: int = 7) -> tuple[Corpus, GoldPack]:
    corpus = write(folder / "clean", clean_draft(samples, seed))
    build_pack(corpus, folder / "pack", seed=1, n_ce=200, voices="new-only", probes=0)
    return corpus, open_pack(folder / "pack")


def build_planted(folder: Path, samples: int, seed: int = 7) -> Planted:
    """The same clean samples, and beside them a few hundred at fault."""
    _, pack = build_clean(folder, samples, seed)
    draft, truth = clean_draft(samples, seed), {}
    plant = Plant(draft, truth)
    for kinds in (_sound, _lengths, _writing, _characters, _origin, _repeats, _whole_sources, _documents):
        kinds(plant)
    _against_the_pack(plant, pack)
    corpus = write(folder / "planted", draft)
    _break_codes(corpus, truth)
    return Planted(open_corpus(folder / "planted"), pack, truth)


@dataclass
class Plant:
    draft: Draft
    truth: Truth

    def mark(self, kind: str, check: str, *ids: str) -> None:
        assert self.truth.setdefault(kind, (check, set()))[0] == check
        self.truth[kind][1].update(ids)

    def paired(self, kind: str, check: str, language: str, n: int = 2, **changes: Any) -> None:
        """n paired samples at fault; a change may be a function of the clean sample's value."""
        for k in range(n):
            given = {name: value for name, value in changes.items() if not callable(value)}
            sample, codes = self.draft.paired(language, f"{language}-p-{kind}-{k}", None, **given)
            own = {name: value(getattr(sample, name)) for name, value in changes.items() if callable(value)}
            self.mark(kind, check, self.draft.add("paired", replace(sample, **own), codes))

    def raw(
        self, kind: str, check: str, language: str, change: Callable[[np.ndarray], np.ndarray], **fields: Any
    ) -> None:
        for k in range(2):
            codes = change(codes_of(self.draft.random, 260))
            sample, codes = self.draft.raw(language, f"{language}-r-{kind}-{k}", codes=codes, **fields)
            self.mark(kind, check, self.draft.add("raw", sample, codes))


def _put(at: int, part: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(codes: np.ndarray) -> np.ndarray:
        codes[at : at + len(part)] = part
        return codes

    return change


def _sound(plant: Plant) -> None:
    random = plant.draft.random
    phrase = codes_of(random, 60)
    plant.raw("constant-run", "no_repeated_codes", "hi", _put(50, np.full(110, 99)))
    plant.raw("loop-of-four", "no_repeated_codes", "or", _put(20, np.tile([11, 12, 13, 14], 40)))
    plant.raw("phrase-again", "no_repeated_phrase", "mr", lambda codes: _put(190, phrase)(_put(20, phrase)(codes)))
    plant.raw("loop-of-thirty", "no_repeated_phrase", "pa", _put(30, np.tile(codes_of(random, 30), 4)))
    plant.raw("few-codes", "codes_vary", "ta", lambda codes: 1000 + codes % 6)
    plant.raw("one-code", "codes_vary", "te", lambda codes: np.where(np.arange(len(codes)) % 5 < 3, 77, codes))
    plant.paired("other-codec", "codec_is_the_same", "kn", codec_hash="d" * 64)
    plant.paired("stated-duration", "duration_matches_codes", "ml", duration_s=lambda stated: round(stated + 0.08, 3))


def _lengths(plant: Plant) -> None:
    plant.raw("very-long", "usual_duration", "en", lambda codes: codes_of(plant.draft.random, 9000))
    plant.raw("very-short", "usual_duration", "as", lambda codes: codes[:8])
    for kind, n_words in (("too-much-text", 60), ("too-little-text", 1)):
        for k in range(2):
            sample, codes = plant.draft.paired("gu", f"gu-p-{kind}-{k}", 20)
            text = sentence(plant.draft.random, "gu", n_words) * 2 if n_words > 1 else "હા"
            plant.draft.add("paired", replace(sample, transcript=text), codes)
            plant.mark(kind, "characters_per_second", sample.sample_id)
            plant.mark(f"{kind}-for-its-codes", "characters_per_code", sample.sample_id)


def _writing(plant: Plant) -> None:
    random = plant.draft.random

    def text(language: str, n: int = 9) -> str:
        return sentence(random, language, n)

    hindi, latin = text("hi"), "yeh kitaab bahut achchhi hai aur main isse roz padhta hoon"
    for kind, check, language, changes in (
        ("no-words", "transcript_has_words", "te", {"transcript": "… — !"}),
        ("looping-text", "transcript_does_not_loop", "en", {"transcript": "so it goes " + "and on " * 7 + "it goes"}),
        ("tamil-as-hindi", "script_matches_language", "hi", {"transcript": lambda _: text("ta")}),
        ("malayalam-as-kannada", "script_matches_language", "kn", {"transcript": lambda _: text("ml")}),
        ("bengali-as-assamese", "letters_match_language", "as", {"transcript": lambda _: text("bn") + " রর"}),
        ("assamese-as-bengali", "letters_match_language", "bn", {"transcript": lambda _: text("as") + " ৰৱ"}),
        ("romanised-as-native", "kind_matches_script", "hi", {"transcript": latin}),
        ("mixed-as-native", "kind_matches_script", "hi", {"transcript": f"{latin} {text('hi', 5)}"}),
        ("native-as-romanised", "kind_matches_script", "hi", {"transcript": hindi, "transcript_kind": "romanised"}),
        ("native-as-mixed", "kind_matches_script", "ta", {"transcript": text("ta") + " x", "transcript_kind": "code_mixed"}),
        ("romanised-english", "kind_matches_script", "en", {"transcript_kind": "romanised"}),
    ):  # fmt: skip
        plant.paired(kind, check, language, n=1, **({"speaker": lambda one: f"{one}-b"} | changes))


def _characters(plant: Plant) -> None:
    def after(part: str) -> Callable[[str], str]:
        return lambda text: f"{text[:6]}{part}{text[6:]}"

    for kind, check, language, change in (
        ("lost-character", "characters_are_text", "hi", after("\ufffd")),
        ("control-character", "characters_are_text", "ta", after("\x08")),
        ("private-use", "characters_are_text", "bn", after("\ue0a1")),
        ("byte-order-mark", "characters_are_text", "en", lambda text: "\ufeff" + text),
        ("not-composed", "text_is_composed", "bn", after(" ক\u09c7\u09beন ")),
        ("wrong-encoding", "bytes_were_read_right", "hi", after(" " + "नहीं".encode().decode("latin-1") + " ")),
        ("windows-quotes", "bytes_were_read_right", "en", after("don" + "’".encode().decode("cp1252") + "t")),
        ("html-tags", "no_markup", "gu", after("<br/>")),
        ("entities", "no_markup", "kn", after("&nbsp;")),
        ("address", "no_markup", "te", after(" https://example.org/x ")),
        ("speech-token", "no_control_tokens", "ml", lambda text: f"<|speech_start|>{text}"),
        ("other-prompt", "no_control_tokens", "pa", lambda text: f"[INST] {text}"),
    ):  # fmt: skip
        plant.paired(kind, check, language, transcript=change)


def _origin(plant: Plant) -> None:
    plant.paired("unknown-origin", "provenance_is_known", "or", source_id=None, vad_config_hash=None)
    plant.paired("place-and-duration", "place_in_source_is_possible", "mr", end_ms=lambda end: end + 700)
    plant.paired("telephone", "recording_reaches_the_codec", "ta", sample_rate=8000)
    plant.paired("nobody", "speaker_is_a_name", "te", speaker="unknown")
    plant.paired("opinion-score", "stated_quality_is_fair", "en", dnsmos=7.5)
    plant.paired("unheard-transcript", "stated_quality_is_fair", "hi", asr_error_rate=0.9)
    for k in range(2):
        whole, codes = plant.draft.raw("bn", f"bn-r-cut-{k}", 300)
        half = plant.draft.raw("bn", f"bn-r-cut-again-{k}", 200)
        start = int(whole.start_ms or 0) + 2000
        again = replace(half[0], source_id=whole.source_id, start_ms=start, end_ms=start + 4000)
        plant.draft.add("raw", whole, codes)
        plant.mark("cut-twice", "segments_do_not_overlap", plant.draft.add("raw", again, half[1]))


def _repeats(plant: Plant) -> None:
    draft = plant.draft
    trained = {language: _first_trained(draft, language) for language in ("hi", "ta", "te", "kn")}
    sample, codes = trained["hi"]
    again, _ = draft.paired("hi", "hi-p-codes-again", codes=codes, transcript=sample.transcript, speaker="hi-voice-x")
    plant.mark("codes-again", "no_duplicate_codes", draft.add("paired", again, codes))
    sample, _ = trained["te"]
    said, own = draft.paired("te", "te-p-said-again", transcript=f"{sample.transcript}!", speaker=sample.speaker)
    plant.mark("said-again", "no_duplicate_transcripts", draft.add("paired", said, own))
    sample, codes = trained["kn"]
    leaked, _ = draft.paired("kn", "kn-p-held-codes", held_out=True, codes=codes)
    plant.mark("held-out-codes", "held_out_codes_unseen", draft.add("paired", leaked, codes))
    # A held-out text that somebody reads in training: the held-out sample is the one that is spoilt.
    text = f"{sentence(draft.random, 'ta', 10)}"
    spoilt, own = draft.paired("ta", "ta-p-held-text", transcript=text, held_out=True)
    plant.mark("held-out-text", "held_out_transcripts_unseen", draft.add("paired", spoilt, own))
    draft.add("paired", *draft.paired("ta", "ta-p-reads-held-text", transcript=text))
    heard, own = draft.paired("hi", "hi-p-held-voice", held_out=True, speaker="hi-voice-1")
    plant.mark("held-out-voice", "held_out_speakers_unseen", draft.add("paired", heard, own))


def _first_trained(draft: Draft, language: str) -> tuple[Sample, Any]:
    return next(
        (sample, tokens)
        for stream, sample, tokens in draft.samples
        if stream == "paired" and sample.language == language and not sample.held_out and len(tokens) >= 100
    )


def _whole_sources(plant: Plant) -> None:
    draft, random = plant.draft, plant.draft.random
    for k in range(60):
        codes = 40 * random.integers(0, 60, 200)  # sixty codes of 4,096: a codec whose other levels were lost
        name = draft.add("raw", *draft.raw("gu", f"gu-r-dialup-{k}", codes=codes, source="dialup"))
        plant.mark("source-encoded-badly", "source_codes_vary", name)
        n = 500 if k % 3 == 0 else int(random.integers(150, 500))
        name = draft.add("raw", *draft.raw("ml", f"ml-r-capped-{k}", n, source="capped"))
        if n == 500:
            plant.mark("cut-at-one-length", "lengths_differ", name)
        language = ("hi", "ta", "bn")[k % 3]
        changes: dict[str, Any] = {"source": "one-voice", "speaker": "spk0"}
        name = draft.add("raw", *draft.raw(language, f"{language}-r-one-voice-{k}", **changes))
        plant.mark("one-speaker-for-all", "sources_name_speakers", name)


def _documents(plant: Plant) -> None:
    draft = plant.draft
    sample, ids = draft.document("hi", "hi-t-good")
    draft.add("text", sample, ids)
    end, size = ids[-1], draft.tokenizer.size
    for kind, check, tokens in (
        ("foreign-id", "text_ids_in_tokenizer", [*ids[:-2], size, end]),
        ("no-end", "text_documents_end", ids[:-2]),
        ("end-inside", "text_documents_end", [*ids[:9], end, *ids[12:]]),
        ("scrap", "text_documents_have_length", [*ids[:3], end]),
        ("document-again", "no_duplicate_documents", ids),
    ):
        name = draft.add("text", replace(sample, sample_id=f"hi-t-{kind}", source_id=f"web-{kind}"), tokens)
        plant.mark(kind, check, name)
    name = draft.add("text", *draft.document("hi", "hi-t-tamil", sentence(draft.random, "ta", 40)))
    plant.mark("document-in-another-script", "script_matches_language", name)


def _against_the_pack(plant: Plant, pack: GoldPack) -> None:
    draft = plant.draft
    for at, (stream, sample, tokens) in enumerate(draft.samples):
        if sample.sample_id == pack.ce[0].sample_id:
            # The same sample in the next version of the corpus, where somebody forgot what was held out.
            draft.samples[at] = (stream, replace(sample, held_out=False, speaker=None), tokens)
            plant.mark("pack-sample", "pack_samples_untrained", sample.sample_id)
    one = next(one for one in pack.prompts if one.reference_codes is not None and one.language == "mr")
    assert one.reference_codes is not None and one.speaker is not None
    name = draft.add("raw", *draft.raw("mr", "mr-r-pack-codes", codes=one.reference_codes.astype(np.int64)))
    plant.mark("pack-codes", "pack_codes_untrained", name)
    name = draft.add("paired", *draft.paired("mr", "mr-p-pack-text", transcript=one.text))
    plant.mark("pack-text", "pack_transcripts_untrained", name)
    name = draft.add("raw", *draft.raw("mr", "mr-r-pack-voice", speaker=one.speaker))
    plant.mark("pack-voice", "pack_voices_untrained", name)
    # What leaked out of the pack leaked out of the held-out samples that it was made of.
    spoilt = [sample for _, sample, _ in draft.samples if sample.held_out and sample.speaker == one.speaker]
    plant.mark("held-out-voice", "held_out_speakers_unseen", *(sample.sample_id for sample in spoilt))
    plant.mark("held-out-text", "held_out_transcripts_unseen", str(one.sample_id))
    plant.mark("held-out-codes", "held_out_codes_unseen", str(one.sample_id))


def _break_codes(corpus: Corpus, truth: Truth) -> None:
    """What the writer refuses: a code beyond the codebook, written over the frozen file (which verify would notice)."""
    group = corpus.groups["raw", "kn", "wild"]
    path = next(iter(sorted(group.folder.glob("*.tokens.npy"))))
    tokens = np.load(path, mmap_mode="r+")
    tokens[int(group.offsets[3]) + 10] = CODEBOOK
    tokens.flush()
    name = group.sample(3).sample_id
    truth["code-out-of-range"] = ("codes_in_range", {name})
    truth["no-speech-token"] = ("codes_in_vocabulary", {name})
