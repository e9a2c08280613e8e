"""The gate before a launch: a model that cannot learn 32 samples by heart has a fault in data, prompt or loss.

Brutal on purpose: no decay, a high constant rate, the same samples over and over, until the loss is below 0.01 and
greedy generation from the bare prompts says every code again and stops where the sample stops.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from vaak.codec import code_levels
from vaak.corpus import Corpus
from vaak.corpus.pack_items import CeSample
from vaak.errors import BadInput
from vaak.grammar.prompt import paired_ids, sft_labels
from vaak.host import Precision, choose_device, choose_precision, compute_in, keep_freed_memory
from vaak.model.open import create_model
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import OptimizerSettings, Recipe
from vaak.speak.generation import generate
from vaak.storage.files import write_json
from vaak.train.callbacks import OnStep
from vaak.train.optimizer import build_optimizer
from vaak.train.stage import Data, open_data
from vaak.train.step import Stepper
from vaak.train.validation import Document, pack_documents

# The fixed part of the gate's recipe; it is about the samples, so no stage's own settings enter it. On the embedded
# example (3.7M parameters, 4,851 tokens in twelve languages) it passed after 40 epochs and 95 CPU-seconds; with a peak of
# 3e-3 each epoch learned less, and with a floor of 0.15 in `epoch` the loss rose again near the end.
TARGET_LOSS = 0.01
WANTED_SHARE = 0.99
PEAK_LR = 1.5e-3
WARMUP = 10
BATCH = 4
# Longer documents are left out: what is tested is the way of a token, and that is the same in two seconds and in twenty.
LONGEST = 160
OPTIMIZER = OptimizerSettings(betas=(0.9, 0.95), weight_decay=0.0, grad_clip=1.0)


@dataclass(frozen=True)
class OverfitSample:
    """reproduced: share of the sample's codes and its stop token that greedy generation said in their places."""

    sample_id: str
    language: str
    n_codes: int
    reproduced: float
    stopped: bool


@dataclass(frozen=True)
class OverfitResult:
    """loss: mean over the targets of all samples, in nats; reproduced_share: over all codes and stop tokens;
    tokens_per_second: positions trained per second, a measure of the machine."""

    loss: float
    reproduced_share: float
    samples: list[OverfitSample]
    passed: bool
    steps: int
    seconds: float
    tokens_per_second: float


def overfit(
    recipe: Recipe,
    out: str | Path,
    n: int = 32,
    *,
    target_loss: float = TARGET_LOSS,
    wanted_share: float = WANTED_SHARE,
    max_seconds: float = 600.0,
    max_steps: int = 20_000,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> OverfitResult:
    """Train the recipe's model from scratch on `n` paired samples of distinct transcripts, and write `overfit.json`.

    It is passed with a loss below `target_loss` (nats) and at least `wanted_share` of codes and stop tokens said again. Ends when
    it is passed, or at the limit of seconds or steps, or when `stop` says so; the result says which samples did not fit. Raises `BadInput` if the corpora have fewer than `n` such samples.
    """
    keep_freed_memory()
    device = choose_device(recipe.device)
    data = open_data(recipe)
    documents = choose_documents(data, n, min(LONGEST, recipe.context), recipe.seed)
    model = create_model(recipe.model, data.vocabulary, recipe.seed, code_levels(recipe.codec)).to(device)
    precision = choose_precision(recipe.precision, device)
    rehearsal = _Rehearsal(model, documents, precision, recipe.seed)
    began = time.monotonic()
    while True:
        loss = rehearsal.epoch()
        seconds = time.monotonic() - began
        if on_step is not None:
            on_step(rehearsal.steps, max_steps, f"loss {loss:.4f}, wanted below {target_loss:g}")
        ending = stop() or rehearsal.steps >= max_steps or seconds > max_seconds
        # The loss of an epoch is that of weights which were still learning, so it is late; far off it saves the exact one.
        if not ending and (loss >= 2 * target_loss or rehearsal.loss() >= target_loss):
            continue
        result = _judged(rehearsal, seconds, target_loss, wanted_share)
        if result.passed or ending:
            write_json(Path(out) / "overfit.json", asdict(result))
            return result


class _Rehearsal:
    """Goes over the same documents again and again, in a new order each time."""

    def __init__(self, model: SpeechLM, documents: Sequence[Document], precision: Precision, seed: int) -> None:
        self.model, self.documents = model, documents
        self.precision: Precision = precision
        self.stepper = Stepper(model, build_optimizer(model, OPTIMIZER, PEAK_LR), OPTIMIZER.grad_clip, precision)
        # Learning by heart makes norms of its own; only what is not finite is left out here.
        self.stepper.guard.sigmas = math.inf
        self.order = np.random.default_rng(seed)
        self.steps = self.positions = 0
        self.seconds = 0.0
        self.rate = PEAK_LR

    def epoch(self) -> float:
        """Train on every document once; mean loss over the epoch's targets as it went along."""
        began = time.monotonic()
        total, targets = 0.0, 0
        shuffled = self.order.permutation(len(self.documents))
        for start in range(0, len(shuffled), BATCH):
            chosen = [self.documents[i] for i in shuffled[start : start + BATCH]]
            batch = pack_documents([chosen], self.model.vocabulary)
            warm = min(1.0, (self.steps + 1) / WARMUP)
            result = self.stepper.step([batch], self.rate * warm)
            total += result.loss * batch.n_targets
            targets += batch.n_targets
            self.steps += 1
            self.stepper.guard.check((0, len(chosen) - 1))
            self.positions += batch.input_ids.size
        loss = total / targets
        # What is nearly learned by heart is forgotten again by large steps.
        self.rate = PEAK_LR * min(1.0, max(loss, 0.05) ** 0.5)
        self.seconds += time.monotonic() - began
        return loss

    @torch.no_grad()
    def loss(self) -> float:
        """Mean loss over all targets with the weights as they stand."""
        self.model.eval()
        batch = pack_documents([self.documents], self.model.vocabulary)
        with compute_in(self.precision, self.model.device):
            return self.model.forward_loss(batch).sum.item() / batch.n_targets


def _judged(rehearsal: _Rehearsal, seconds: float, target_loss: float, wanted_share: float) -> OverfitResult:
    samples = reproduce(rehearsal.model, rehearsal.documents)
    said = sum(one.reproduced * (one.n_codes + 1) for one in samples)
    share = said / sum(one.n_codes + 1 for one in samples)
    loss = rehearsal.loss()
    return OverfitResult(
        loss=loss,
        reproduced_share=share,
        samples=samples,
        passed=loss < target_loss and share >= wanted_share,
        steps=rehearsal.steps,
        seconds=seconds,
        tokens_per_second=rehearsal.positions / rehearsal.seconds,
    )


def reproduce(model: SpeechLM, documents: Sequence[Document]) -> list[OverfitSample]:
    """Greedy generation from the bare prompts, compared place by place with what was trained."""
    vocabulary = model.vocabulary
    starts = [int(np.flatnonzero(ids == vocabulary.speech_start)[0]) + 1 for ids, _, _ in documents]
    prompts = [ids[:start] for (ids, _, _), start in zip(documents, starts, strict=True)]
    wanted = [vocabulary.codes(ids[start:-1]) for (ids, _, _), start in zip(documents, starts, strict=True)]
    model.eval()
    heard = generate(model, prompts, max_codes=[len(codes) + 1 for codes in wanted], temperature=0.0)
    samples = []
    for (_, _, sample), codes, one in zip(documents, wanted, heard, strict=True):
        n = min(len(codes), len(one.codes))
        right = int((codes[:n] == one.codes[:n]).sum())
        stopped = one.stopped and len(one.codes) == len(codes)
        samples.append(
            OverfitSample(sample.sample_id, sample.language, len(codes), (right + stopped) / (len(codes) + 1), stopped)
        )
    return samples


def choose_documents(data: Data, n: int, longest: int, seed: int) -> list[Document]:
    """`n` paired documents of at most `longest` tokens with distinct transcripts, from each language in turn.

    Labels are those of SFT. Raises `BadInput` if there are fewer.
    """
    rng = np.random.default_rng(seed)
    turns = [_candidates(corpus, data, key, longest, rng) for corpus in data.corpora for key in sorted(corpus.groups)]
    chosen: list[Document] = []
    transcripts: set[str] = set()
    while turns and len(chosen) < n:
        for turn in list(turns):
            document = next((one for one in turn if one[2].transcript not in transcripts), None)
            if document is None:
                turns.remove(turn)
            elif len(chosen) < n:
                transcripts.add(document[2].transcript or "")
                chosen.append(document)
    if len(chosen) < n:
        raise BadInput(
            f"overfit needs {n} paired samples of at most {longest} tokens with distinct transcripts, the corpora have "
            f"{len(chosen)}; add data or ask for fewer"
        )
    return chosen


def _candidates(
    corpus: Corpus, data: Data, key: tuple[str, str, str], longest: int, rng: np.random.Generator
) -> Iterator[Document]:
    """Documents of one group in a seeded order; nothing for groups that are not paired."""
    group = corpus.groups[key]
    if group.stream != "paired":
        return
    for i in rng.permutation(np.flatnonzero(group.lengths < longest)):
        sample = group.sample(int(i))
        if sample.held_out or not sample.transcript:
            continue
        voice = data.tokenizer.encode(sample.voice_description) if sample.voice_description else None
        ids = paired_ids(data.vocabulary, data.tokenizer.encode(sample.transcript), group.tokens(int(i)), voice)
        if len(ids) <= longest:
            item = CeSample(
                sample.sample_id,
                group.stream,
                group.language,
                sample.source,
                sample.transcript,
                sample.voice_description,
                group.tokens(int(i)),
            )
            yield ids, sft_labels(data.vocabulary, ids), item
