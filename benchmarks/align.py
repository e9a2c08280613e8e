"""Does GRPO make the shipped model speak better, on prompts that it was not trained on and by judges that were no rewards?

`vaak align grpo-tiny` from the shipped model. Its step 0 and its last step speak the English prompts of a gold pack, and an
evaluation with held-out judges compares them item by item: the composite reward by the judges that gave it, and a second
recogniser (Whisper tiny.en), PLCMOS, the spread of the pitch and the speaking rate, whose margins stand in
vaak/evaluate/held_out_changes.py. An hour on two cores is 100 to 180 steps by the machine; the default is what fits a benchmark.
Prints one line per figure: `python benchmarks/align.py [--json PATH] [--steps N] [--prompts N] [--out FOLDER] [--set KEY=VALUE …]`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from codec import Figure, at_least, at_most

import vaak.demo
from vaak.align.run import align
from vaak.checkpoint import list_checkpoints
from vaak.codec import open_codec
from vaak.corpus import open_corpus
from vaak.corpus.pack import build_pack, open_pack
from vaak.evaluate.checkpoint import evaluate_checkpoint
from vaak.evaluate.held_out import HeldOut, open_held_out
from vaak.evaluate.held_out_changes import Change, Comparison, Judge, change_words, compare_run
from vaak.evaluate.reference import reference_scores
from vaak.evaluate.store import open_results
from vaak.recipe import load_align_recipe
from vaak.score.asr import open_asr

THREADS = 2


def pack_of(folder: Path, prompts: int) -> Path:
    if not folder.exists():
        corpus = open_corpus(vaak.demo.corpus_folder())
        build_pack(corpus, folder, 1, n_ce=48, cross_lingual=0, long_form=0, probes=0, extended={"en": prompts})
    return folder


def trained(run: Path, pack: Path, steps: int, overrides: list[str]) -> float:
    """Minutes that the alignment took, all of it; done before, it is none."""
    began = time.monotonic()
    recipe = load_align_recipe(
        "grpo-tiny", [f"pack={pack}", f"steps={steps}", f"checkpoints.every={steps}", *overrides]
    )
    align(recipe, run, on_step=lambda step, of, text: print(f"step {step} of {of}: {text}", flush=True))
    return (time.monotonic() - began) / 60


def compared(run: Path, pack: Path) -> Comparison:
    """The last step against step 0 on the pack's English prompts, as a sidecar compares them."""
    results, gold, codec = open_results(run / "results.db"), open_pack(pack), open_codec("embedded")
    asr, reward = open_asr("whisper", threads=THREADS), load_align_recipe(run / "recipe.yaml").reward
    held_out = HeldOut(open_held_out(asr, threads=THREADS), reward, aligned=True)
    reference_scores(gold, codec, asr, results, held_out=held_out, threads=THREADS)
    for checkpoint in (list_checkpoints(run)[0], list_checkpoints(run)[-1]):
        evaluate_checkpoint(checkpoint.path, gold, codec, results, asr=asr, held_out=True, threads=THREADS)
    found = compare_run(results, gold.id, run.name, reward)
    return next(one for one in found if one.language == "en")


def figures_of(one: Comparison) -> list[Figure]:
    reward = one.reward
    interval = f"0; {reward.before:.3f} → {reward.after:.3f}, 95% interval {reward.low:+.4f} to {reward.high:+.4f}"
    print(f"nothing was said: in {one.silent.before:.1%} → {one.silent.after:.1%} of the prompts")
    found = [
        at_least("prompts compared", reward.items, 64, "the goal"),
        at_least("rise of the reward, low end of its interval", reward.low, 0.0, interval),
    ]
    return found + [judge_figure(judge, change) for judge, change in one.judges.items()]


def judge_figure(judge: Judge, change: Change) -> Figure:
    """How far it got worse, beside its margin."""
    worse = abs(change.change) if not judge.worse else judge.worse * change.change
    return at_most(f"{judge.name}, worse by", worse, judge.margin, f"its margin; {change_words(judge, change)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--prompts", type=int, default=192, help="English prompts of the gold pack")
    parser.add_argument("--out", type=Path, help="keep the run and its pack here, and continue what is there")
    parser.add_argument("--set", dest="overrides", nargs="*", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        pack = pack_of(folder / "pack", given.prompts)
        minutes = trained(folder / "aligned", pack, given.steps, given.overrides)
        figures = [at_most("minutes of training on two cores", minutes, 60, f"an hour; {given.steps} steps", "min")]
        figures += figures_of(compared(folder / "aligned", pack))
    if given.json:
        given.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
