"""Batched sampling of speech codes. Only codes and the stop token can be reached; the rest has no probability.

An item's result does not depend on its batch: its randomness comes from its own seed, and padding is invisible to it
(what remains is rounding, which differs in the last bits between batch sizes).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.model.speech_lm import SpeechLM
from vaak.speak.decoder import Decoder

_NUCLEUS = 512


@dataclass(frozen=True)
class Generation:
    """codes: uint16[n], without the stop token; stopped: it was generated (else `max_codes` ended the item).

    log_probabilities: where they were asked for, of every code and of the stop token, if it came, as they were drawn:
    float32[n or n + 1], in nats.
    """

    codes: np.ndarray
    stopped: bool
    log_probabilities: np.ndarray | None = None


@torch.inference_mode()
def generate(
    model: SpeechLM,
    prompts: Sequence[np.ndarray],
    *,
    max_codes: int | Sequence[int],
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seeds: Sequence[int] | None = None,
    batch_size: int = 32,
    scored: bool = False,
) -> list[Generation]:
    """Continue each prompt (int64[n] ids, ending with speech_start or with speech ids) until it stops.

    `max_codes` bounds all items or each one; `temperature` 0 is greedy; `top_k` 0 and `top_p` 1.0 switch truncation
    off. `seeds` default to 0, 1, 2 ... `scored` keeps the log-probability of each draw, which only a whole distribution has.
    Raises `BadInput` for an empty prompt or one beyond the model's positions, and `FloatingPointError` when the model gives
    infinities or not-a-number.
    """
    check_sampling(temperature, top_k, top_p)
    limits, seeds = check_requests(prompts, max_codes, seeds, positions_of(model))
    sampler = _Sampler(model, temperature, top_k, top_p, scored)
    results: dict[int, Generation] = {}
    # Neighbours of like length: little padding, and rows that end at about the same time.
    order = sorted(range(len(prompts)), key=lambda i: (limits[i], len(prompts[i])))
    for start in range(0, len(order), batch_size):
        items = order[start : start + batch_size]
        batch = [np.asarray(prompts[i], np.int64) for i in items]
        outcomes = _generate_batch(model, sampler, batch, [limits[i] for i in items], [seeds[i] for i in items])
        results.update(zip(items, outcomes, strict=True))
    return [results[i] for i in range(len(prompts))]


def stream_codes(
    model: SpeechLM,
    prompt: np.ndarray,
    *,
    max_codes: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> Generator[int, None, bool]:
    """The codes of one prompt, each as soon as it is drawn: those that `generate` gives this prompt alone.

    What the generator returns at its end (`stopped = yield from ...`) is whether the model stopped by itself. Raises as
    `generate` does, for a bad request at once.
    """
    check_sampling(temperature, top_k, top_p)
    check_requests([prompt], max_codes, [seed], positions_of(model))
    return _one_by_one(model, _Sampler(model, temperature, top_k, top_p), np.asarray(prompt, np.int64), max_codes, seed)


@torch.inference_mode()
def _one_by_one(
    model: SpeechLM, sampler: _Sampler, prompt: np.ndarray, limit: int, seed: int
) -> Generator[int, None, bool]:
    for _, picks, _ in _draws(model, sampler, [prompt], [limit], [seed]):
        pick = int(picks)
        if pick == 0:
            return True
        yield pick - 1
    return False


def positions_of(model: SpeechLM) -> int | None:
    """How many ids the model can read, prompt and codes together; None where its configuration does not say."""
    return getattr(model.config, "max_position_embeddings", None)


def check_sampling(temperature: float, top_k: int, top_p: float) -> None:
    """Raises `BadInput` for settings that mean nothing."""
    if temperature < 0 or top_k < 0 or not 0 < top_p <= 1:
        raise BadInput(f"temperature {temperature}, top_k {top_k}, top_p {top_p}: give ≥ 0, ≥ 0 and in (0, 1]")


def check_requests(
    prompts: Sequence[np.ndarray],
    max_codes: int | Sequence[int],
    seeds: Sequence[int] | None,
    positions: int | None,
) -> tuple[list[int], list[int]]:
    """(limits, seeds), one for each prompt. Raises `BadInput` for an empty prompt or one beyond the model's positions."""
    limits = [max_codes] * len(prompts) if isinstance(max_codes, int) else list(max_codes)
    seeds = list(range(len(prompts))) if seeds is None else list(seeds)
    if not len(prompts) == len(limits) == len(seeds):
        raise BadInput(f"{len(prompts)} prompts, {len(limits)} limits and {len(seeds)} seeds; give one each")
    for i, prompt in enumerate(prompts):
        if len(prompt) == 0:
            raise BadInput(f"prompt {i} is empty; build prompts with vaak.speak.speech.build_prompt")
        if positions is not None and len(prompt) + limits[i] > positions:
            raise BadInput(
                f"prompt {i}: {len(prompt)} ids and {limits[i]} codes exceed the model's {positions} positions"
            )
    return limits, seeds


def generation_of(vocabulary: Vocabulary, ids: Sequence[int] | np.ndarray, limit: int) -> Generation:
    """What another engine generated for one prompt: ids with or without the stop token and what follows it, cut at `limit`.

    Without a stop token the item counts as cut. Raises `BadInput` for an id before it that is no code.
    """
    drawn = np.asarray(ids, np.int64)[:limit]
    ends = np.flatnonzero(drawn == vocabulary.speech_end)
    return Generation(vocabulary.codes(drawn[: ends[0]] if len(ends) else drawn), bool(len(ends)))


class _Sampler:
    """From hidden states to indices: 0 is the stop token, 1 + c is code c."""

    def __init__(self, model: SpeechLM, temperature: float, top_k: int, top_p: float, scored: bool = False) -> None:
        if scored and (temperature == 0 or top_k or top_p < 1):
            raise BadInput(
                "log-probabilities are of draws from the whole distribution: give temperature, and no top_k or top_p"
            )
        vocabulary, head = model.vocabulary, model.head
        # The two voice marks stand between the stop token and the codes.
        stop, codes = head[vocabulary.speech_end], head[vocabulary.first_speech_id : vocabulary.size]
        self._head = torch.cat([stop[None], codes])
        self._temperature, self._top_k, self._top_p, self.scored = temperature, top_k, top_p, scored

    def __call__(self, states: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor | None]:
        """states [B, H], uniforms float64[B] in [0, 1) -> int64[B], and float32[B] log-probabilities where they are asked for."""
        if not bool(torch.isfinite(states).all()):
            raise FloatingPointError("the model's output is not finite")
        logits = F.linear(states, self._head).float()
        if self._temperature == 0:
            return logits.argmax(-1), None
        logits = logits / self._temperature
        picks = sample(logits, uniforms, self._top_k, self._top_p)
        if not self.scored:
            return picks, None
        return picks, torch.log_softmax(logits, -1).gather(1, picks[:, None])[:, 0]


def sample(logits: Tensor, uniforms: Tensor, top_k: int, top_p: float) -> Tensor:
    """One index per row by inversion of the cumulative distribution: logits [B, V], uniforms float64[B] -> int64[B].

    One uniform number decides a draw, so a row needs no generator of its own here. `top_p` keeps the smallest set of
    most likely entries that reaches that mass (Holtzman et al. 2020), after `top_k`.
    """
    order = None
    if top_k or top_p < 1:
        probabilities, order = _likeliest(logits, top_k, top_p)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.masked_fill(before >= top_p, 0.0) if top_p < 1 else probabilities
    else:
        probabilities = torch.softmax(logits.double(), -1)
    cumulative = probabilities.cumsum(-1)
    mass = cumulative[:, -1:]
    # Strictly below the whole mass, whatever the rounding: the first entry above it has probability.
    thresholds = torch.minimum(uniforms[:, None] * mass, torch.nextafter(mass, torch.zeros_like(mass)))
    picks = torch.searchsorted(cumulative, thresholds, right=True)
    return (picks if order is None else order.gather(1, picks))[:, 0]


def _likeliest(logits: Tensor, top_k: int, top_p: float) -> tuple[Tensor, Tensor]:
    """Probabilities in falling order, float64[B, n], and their indices: enough of them to hold `top_k` or `top_p`.

    A nucleus is small, and to sort a whole vocabulary takes four times as long as to find its first 512 entries.
    """
    if top_k:
        logits, order = torch.topk(logits, min(top_k, logits.shape[1]))
        return torch.softmax(logits.double(), -1), order
    total = torch.logsumexp(logits.double(), -1, keepdim=True)
    for count in (min(_NUCLEUS, logits.shape[1]), logits.shape[1]):
        best, order = torch.topk(logits, count)
        probabilities = (best.double() - total).exp()
        if bool((probabilities.sum(-1) >= top_p).all()):
            break
    return probabilities, order


def _generate_batch(
    model: SpeechLM, sampler: _Sampler, prompts: list[np.ndarray], limits: list[int], seeds: list[int]
) -> list[Generation]:
    # -1: not generated (stopped, or over the item's own limit).
    drawn = torch.full((len(prompts), max(limits)), -1, dtype=torch.int64, device=model.device)
    scores = torch.zeros(drawn.shape, device=model.device) if sampler.scored else None
    for place, (alive, picks, scored) in enumerate(_draws(model, sampler, prompts, limits, seeds)):
        drawn[alive, place] = picks
        if scores is not None and scored is not None:
            scores[alive, place] = scored
    rows = drawn.cpu().numpy()
    found = [None] * len(rows) if scores is None else list(scores.cpu().numpy())
    return [
        Generation((row[row > 0] - 1).astype(np.uint16), bool((row == 0).any()), None if one is None else one[row >= 0])
        for row, one in zip(rows, found, strict=True)
    ]


def _draws(
    model: SpeechLM, sampler: _Sampler, prompts: list[np.ndarray], limits: list[int], seeds: list[int]
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """The one loop: place by place the rows that still speak, int64[n], what each draws, 0 to stop, 1 + c for code c, and
    with which log-probability, if the sampler keeps it."""
    device, longest, most = model.device, max(map(len, prompts)), max(limits)
    ids = np.zeros((len(prompts), longest), np.int64)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = prompt
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    uniforms = torch.stack([_uniforms(seed, most) for seed in seeds], dim=1).to(device)  # [place, row]
    ceiling = torch.tensor(limits, device=device)
    alive = torch.nonzero(ceiling > 0)[:, 0]
    if not len(alive):
        return
    decoder = Decoder(model, len(prompts), longest + most)
    states = decoder.prefill(torch.from_numpy(ids).to(device), lengths)
    if len(alive) < len(prompts):
        decoder.keep(alive)
        states, uniforms, ceiling = states[alive], uniforms[:, alive], ceiling[alive]
    for place in range(most):
        picks, scored = sampler(states, uniforms[place])
        yield alive, picks, scored
        going = (picks != 0) & (ceiling > place + 1)
        if not bool(going.all()):
            rows = torch.nonzero(going)[:, 0]
            if not len(rows):
                return
            decoder.keep(rows)
            alive, picks, uniforms, ceiling = alive[rows], picks[rows], uniforms[:, rows], ceiling[rows]
        states = decoder.step(picks - 1 + model.vocabulary.first_speech_id)


def _uniforms(seed: int, count: int) -> Tensor:
    """The item's own random numbers, float64[count] in [0, 1): on the CPU, so that every device draws the same."""
    return torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
