"""Which texts are spoken, in which voices, and in which order: a closed form of a number, so that a resumed run goes on there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, islice, starmap
from unicodedata import normalize

import numpy as np

from vaak.codec import Codec
from vaak.corpus import Corpus
from vaak.corpus.pack_items import Prompt
from vaak.corpus.pack_material import VOICE_SECONDS
from vaak.corpus.reader import Group
from vaak.corpus.samples import Sample
from vaak.errors import BadInput
from vaak.evaluate.items import most_codes
from vaak.evaluate.measures import voice_of
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.order import Interleave, apportion, key_of, permute
from vaak.recipe.align_tree import PromptSettings
from vaak.speak.speech import build_prompt
from vaak.storage.files import hash_json

# Samples of a corpus that are looked at together.
_BLOCK = 256
# Shares of languages hold in every so many prompts.
_ROUND = 1000


@dataclass(frozen=True)
class Voice:
    """A sample whose voice is continued: what it says, and its codes, uint16[n]."""

    text: str
    codes: np.ndarray


@dataclass(frozen=True)
class AlignPrompt:
    """One text to speak. ids: int64[n], as the training grammar builds them. limit: the most codes that it may take.

    `sample` is where it comes from, as an item of a gold pack, so that whatever measures those measures this.
    """

    sample: Prompt
    ids: np.ndarray
    limit: int
    codec: Codec

    @property
    def item(self) -> str:
        return self.sample.item

    @property
    def language(self) -> str:
        return self.sample.language

    @property
    def text(self) -> str:
        return self.sample.text

    @property
    def reference_codes(self) -> np.ndarray:
        """How the corpus has it, uint16[n]."""
        assert self.sample.reference_codes is not None
        return self.sample.reference_codes

    @cached_property
    def _voice(self) -> np.ndarray | None:
        embed = voice_of(self.sample, self.codec)
        assert embed is not None
        return embed()[0]

    def voice(self) -> np.ndarray | None:
        """The embedding of the voice that it should have: of the decoded codes, since a corpus has no waves. None: they hold none."""
        return self._voice


class PromptOrder:
    """The prompts of a run by their number, from 0. Each language's samples come in an order that the seed names, all of them
    before one comes again."""

    def __init__(self, pools: dict[str, list[AlignPrompt]], shares: dict[str, float], seed: int) -> None:
        self.pools, self.seed = pools, seed
        self._languages = sorted(pools)
        weights = np.array([shares[language] for language in self._languages])
        self._cells = Interleave(apportion(weights, _ROUND), seed)

    def __getitem__(self, number: int) -> AlignPrompt:
        cells, visits = self._cells.visits(number, number + 1)
        language = self._languages[int(cells[0])]
        pool = self.pools[language]
        turn, place = divmod(int(visits[0]), len(pool))
        key = np.array([key_of("prompts", self.seed, language, turn)], np.uint64)
        return pool[int(permute(np.array([place]), np.array([len(pool)]), key)[0])]

    @property
    def all(self) -> list[AlignPrompt]:
        """Every prompt once, in no order that means anything."""
        return [prompt for pool in self.pools.values() for prompt in pool]

    @property
    def fingerprint(self) -> str:
        """Names the prompts and their order: another one is another run."""
        items = {language: [one.item for one in pool] for language, pool in self.pools.items()}
        named = {"seed": self.seed, "rows": self._cells.rows.tolist(), "items": items}
        cloned = [one.item for one in self.all if one.sample.voice_codes is not None]
        return hash_json(named | ({"cloned": cloned} if cloned else {}))


def gather_prompts(
    settings: PromptSettings,
    corpora: Sequence[Corpus],
    vocabulary: Vocabulary,
    tokenizer: TextTokenizer,
    codec: Codec,
    *,
    wanted: int,
    seed: int,
    positions: int | None = None,
    excluded: Collection[str] = (),
) -> PromptOrder:
    """The prompts of a run: of each language as many samples as `wanted` prompts in all need, or all that there are.

    They are drawn without reading the rest, so that a corpus of a million hours costs no more than a small one. excluded:
    ids of samples that are held out, and texts that are, as `held_text` has them. positions: how many ids the model can
    read. Raises `BadInput` for a language without a sample.
    """
    pools: dict[str, list[AlignPrompt]] = {}
    total = sum(settings.languages.values())
    for language, share in settings.languages.items():
        count = int(np.ceil(wanted * share / total)) + 1
        groups = [
            (corpus, group)
            for corpus in corpora
            for (stream, code, tier), group in corpus.groups.items()
            if stream == "paired" and code == language and (settings.tiers is None or tier in settings.tiers)
        ]
        fits = _fits(settings, frozenset(excluded))
        ask = partial(_prompt, vocabulary=vocabulary, tokenizer=tokenizer, codec=codec, positions=positions)
        drawn = [
            filter(None, starmap(ask, _with_voices(_drawn(group, key, fits), settings.cloned, key, codec)))
            for corpus, group in groups
            for key in [key_of("align", seed, corpus.id, language)]
        ]
        pool: list[AlignPrompt] = []
        for prompts, part in zip(drawn, _parts([group.n_samples for _, group in groups], count), strict=True):
            pool += islice(prompts, part)
        # A tier of which little fits is made up for by the others.
        pool += islice(chain(*drawn), max(count - len(pool), 0))
        if not pool:
            raise BadInput(
                f"the corpora have no paired sample in {language} that prompts allows (tiers {settings.tiers}, sources "
                f"{settings.sources}, at most {settings.most_seconds:g} s); name others, or leave the language out"
            )
        pools[language] = pool
    return PromptOrder(pools, dict(settings.languages), seed)


def as_item(
    sample_id: str,
    language: str,
    text: str,
    speaker: str | None,
    voice_description: str | None,
    codes: np.ndarray,
    voice: Voice | None = None,
) -> Prompt:
    """A paired sample of training as an item of a gold pack: its voice and its text are known, and its sound is its codes."""
    return Prompt(
        item=sample_id,
        language=language,
        kind="native",
        text=text,
        speaker=speaker,
        voice_description=voice_description,
        reference_codes=codes,
        reference_audio=None,
        voice_text=voice and voice.text,
        voice_codes=voice and voice.codes,
        voice_language=voice and language,
        seen_voice=True,
        seen_text=True,
        sample_id=sample_id,
    )


def _parts(sizes: Sequence[int], count: int) -> list[int]:
    """How many of `count` samples each group gives, in proportion to its size."""
    if not sum(sizes):
        return [0 for _ in sizes]
    return [int(np.ceil(count * size / sum(sizes))) for size in sizes]


def held_text(text: str) -> str:
    """A text as it is looked for among what is held out: another Unicode form of it, or spaces around it, are the same text."""
    return normalize("NFC", text).strip()


def _fits(settings: PromptSettings, excluded: frozenset[str]) -> Callable[[Sample], bool]:
    def fits(sample: Sample) -> bool:
        text = held_text(sample.transcript or "")
        return (
            bool(text)
            and not sample.held_out
            and sample.sample_id not in excluded
            and text not in excluded
            and (settings.sources is None or sample.source in settings.sources)
            and (sample.duration_s is None or sample.duration_s <= settings.most_seconds)
        )

    return fits


def _drawn(group: Group, key: int, fits: Callable[[Sample], bool]) -> Iterator[tuple[Sample, np.ndarray]]:
    """The samples of a group that fit, in the order that the key names."""
    size = group.n_samples
    for start in range(0, size, _BLOCK):
        places = np.arange(start, min(start + _BLOCK, size))
        numbers = permute(places, np.array([size]), np.array([key], np.uint64))
        # Read as they lie, taken as they were drawn: the first ones of a corpus are often of one kind.
        there = dict(zip(np.sort(numbers).tolist(), group.samples_at(np.sort(numbers)), strict=True))
        for number in numbers.tolist():
            sample = there[number]
            if fits(sample):
                yield sample, np.asarray(group.tokens(number), np.uint16)


def _with_voices(
    drawn: Iterable[tuple[Sample, np.ndarray]], cloned: float, key: int, codec: Codec
) -> Iterator[tuple[Sample, np.ndarray, Voice | None]]:
    """Samples, `cloned` of them with a voice to continue: the last sample of their speaker that came before and is of a good
    length. A speaker's first sample has none."""
    shortest, longest = (seconds * codec.tokens_per_second for seconds in VOICE_SECONDS)
    voices: dict[str, Voice] = {}
    for sample, codes in drawn:
        chosen = key_of("cloned", key, sample.sample_id) < cloned * 2**64
        yield sample, codes, voices.get(sample.speaker or "") if chosen else None
        if sample.speaker and shortest <= len(codes) <= longest:
            assert sample.transcript is not None
            voices[sample.speaker] = Voice(sample.transcript, codes)


def _prompt(
    sample: Sample,
    codes: np.ndarray,
    voice: Voice | None,
    *,
    vocabulary: Vocabulary,
    tokenizer: TextTokenizer,
    codec: Codec,
    positions: int | None,
) -> AlignPrompt | None:
    """None where prompt and speech would not fit into the model's positions."""
    assert sample.transcript is not None
    if not len(codes):
        return None
    item = as_item(
        sample.sample_id, sample.language, sample.transcript, sample.speaker, sample.voice_description, codes, voice
    )
    ids = build_prompt(
        vocabulary,
        tokenizer,
        item.text,
        voice_description=item.voice_description,
        voice_text=item.voice_text,
        voice_codes=item.voice_codes,
    )
    limit = most_codes(item)
    if positions is not None and len(ids) + limit > positions:
        return None
    return AlignPrompt(item, ids, limit, codec)
