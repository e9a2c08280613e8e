"""The gates before training: the frozen corpus, the gold pack, the audit, the 32-sample overfit (SPEC G1–G4)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vaak.audit import audit_corpus
from vaak.codec import open_codec
from vaak.corpus.pack import build_pack, open_pack
from vaak.corpus.reader import Corpus, open_corpus
from vaak.corpus.verify import verify_corpus
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.evaluate import open_results, reference_scores, reference_summary
from vaak.evaluate.checkpoint import Stopped
from vaak.evaluate.measures import VERSIONS
from vaak.grammar.tokenizer import load_tokenizer
from vaak.launch.stages import resolve, stage_recipe
from vaak.launch.walk import Launch, Step
from vaak.recipe import Recipe
from vaak.score.asr import open_asr
from vaak.storage.files import hash_json, write_json
from vaak.train.overfit import overfit


def gate_steps(launch: Launch) -> list[Step]:
    """The gates in the order of SPEC G4; the judges are measured before there is a model to judge."""
    return [
        Step("freeze", "verify every byte of the frozen corpus", _corpus_inputs, _freeze),
        Step("pack", "freeze the gold pack before anything is trained", _pack_inputs, _pack, _pack_holds),
        Step("audit", "audit the corpus", _audit_inputs, _audit, _audit_holds),
        Step("judges", "measure the judges: originals, codec round trip, wrong text", _judges_inputs, _judges, _judged),
        Step("overfit", "overfit 32 samples, in loss and in regenerated codes", _overfit_inputs, _overfit),
    ]


def corpus_folders(launch: Launch) -> list[Path]:
    """The project's corpora as folders."""
    return [resolve(path) for path in launch.project.corpora]


def pack_folder(launch: Launch) -> Path:
    return launch.out / "pack"


def main_corpus(launch: Launch) -> Corpus:
    """The first corpus of the project: the gold pack is taken from it."""
    return open_corpus(corpus_folders(launch)[0])


def _corpus_inputs(launch: Launch) -> dict[str, Any]:
    return {"corpora": [open_corpus(folder).id for folder in corpus_folders(launch)]}


def _freeze(launch: Launch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder in corpus_folders(launch):
        damaged = verify_corpus(folder)
        if damaged:
            raise CheckFailed(f"{folder}: {len(damaged)} damaged files, the first: {damaged[0]}; restore the corpus")
        corpus = open_corpus(folder)
        hours = {stream: 0.0 for stream in ("raw", "paired")}
        text_tokens = 0
        for (stream, _, _), group in corpus.groups.items():
            if stream == "text":
                text_tokens += group.n_tokens
            else:
                hours[stream] += group.n_tokens / 50 / 3600
        found[corpus.id] = {"hours": hours, "text_tokens": text_tokens, "name": corpus.manifest["name"]}
        launch.console.line(
            f"{corpus.manifest['name']} {corpus.id[:12]}: {hours['raw']:.1f} h raw, {hours['paired']:.1f} h paired, "
            f"{text_tokens:,} text tokens; every file matches its hash"
        )
    return {"corpora": found}


def _pack_inputs(launch: Launch) -> dict[str, Any]:
    return _corpus_inputs(launch) | {"pack": launch.project.pack.model_dump(), "seed": launch.project.seed}


def _pack(launch: Launch) -> dict[str, Any]:
    folder = pack_folder(launch)
    if not folder.exists():
        build_pack(main_corpus(launch), folder, seed=launch.project.seed, **_pack_numbers(launch))
    _check_same_pack(launch, folder)
    pack = open_pack(folder)
    kinds: dict[str, int] = {}
    for prompt in pack.prompts:
        kinds[prompt.kind] = kinds.get(prompt.kind, 0) + 1
    heard = sum(pack.seen_voice)
    launch.console.line(
        f"pack {pack.id[:12]}: {len(pack.ce)} cross-entropy samples, prompts {kinds}; training hears the voices of {heard}"
    )
    return {"pack": pack.id, "ce": len(pack.ce), "prompts": kinds, "heard_voices": heard}


def _pack_numbers(launch: Launch) -> dict[str, Any]:
    """The project's wishes as `build_pack` takes them."""
    wanted = launch.project.pack.model_dump()
    return {"n_ce": wanted.pop("ce"), **wanted}


def _check_same_pack(launch: Launch, folder: Path) -> None:
    """A frozen pack stays: one that was made from other data or by other numbers is refused, never built over.

    One from before there was a wish goes on where the project does not state it, or states what was then the only way.
    """
    manifest = open_pack(folder).manifest
    numbers = _pack_numbers(launch)
    wanted = {"corpus": main_corpus(launch).id, "seed": launch.project.seed, "ce": numbers.pop("n_ce"), **numbers}
    known = {"corpus": manifest["corpus"]["id"], "seed": manifest["seed"], **manifest["wanted"]}
    frozen = {"probes": 0, "voices": "any", "sources": [], **known}
    for name, value in wanted.items():
        if frozen.get(name) != value and (name in known or name in launch.project.pack.model_fields_set):
            raise BadInput(
                f"{folder}: the gold pack was frozen with {name} = {frozen.get(name)}, the project now says {value}; restore "
                "the project, or launch in a new folder"
            )


def _pack_holds(launch: Launch, evidence: dict[str, Any]) -> bool:
    try:
        return open_pack(pack_folder(launch)).id == evidence["pack"]
    except BadInput:  # gone; a damaged one is no reason to make another, and is raised
        return False


def _audit_inputs(launch: Launch) -> dict[str, Any]:
    return _corpus_inputs(launch) | {
        "audit": launch.project.audit.model_dump(),
        "codec": open_codec(launch.project.codec).hash,
    }


def _audit(launch: Launch) -> dict[str, Any]:
    settings = launch.project.audit
    with launch.console.progress("audit") as bar:
        report = audit_corpus(
            main_corpus(launch),
            open_codec(launch.project.codec),
            samples=settings.samples,
            seed=launch.project.seed,
            tokenizer=load_tokenizer(resolve(launch.project.tokenizer)),
            decode_per_language=settings.listen_per_language,
            progress=bar,
        )
    report.write_html(launch.out / "audit.html")
    write_json(launch.out / "audit.json", report.to_dict())
    failed = [check for check in report.checks if not check.passed]
    fatal = [check for check in failed if check.severity == "error"]
    launch.console.line(f"{len(report.checks) - len(failed)} of {len(report.checks)} checks hold; see audit.html")
    if fatal:
        raise CheckFailed(
            f"audit: {', '.join(check.name for check in fatal)} failed; look at {launch.out / 'audit.html'}, mend the "
            'corpus, or go on with --override audit --because "…"'
        )
    return {
        "checks": [
            {"name": c.name, "passed": c.passed, "severity": c.severity, "detail": c.detail} for c in report.checks
        ]
    }


def _audit_holds(launch: Launch, evidence: dict[str, Any]) -> bool:
    return (launch.out / "audit.html").exists() and (launch.out / "audit.json").exists()


def _judges_inputs(launch: Launch) -> dict[str, Any]:
    codec = open_codec(launch.project.codec).hash
    return {"pack": launch.evidence("pack")["pack"], "codec": codec, "measures": dict(VERSIONS)}


def _judges(launch: Launch) -> dict[str, Any]:
    """Scores of speech that no model made: the scale for what follows, and whether the recogniser is to be trusted."""
    pack, codec = open_pack(pack_folder(launch)), open_codec(launch.project.codec)
    cores = os.cpu_count() or 1
    asr = open_asr(threads=cores)
    results = open_results(launch.out / "results.db")
    try:
        with launch.console.progress("judges") as bar:
            reference_scores(pack, codec, asr, results, threads=cores, stop=launch.stop, progress=bar)
    except Stopped:
        raise Interrupted("stopped while the references were scored; it goes on from there") from None
    found = reference_summary(results, pack.id, codec.hash)
    results.close()
    english: dict[str, float] = {}
    for subject in ("original", "round_trip", "wrong_text"):
        wer = found[subject]["languages"].get("en", {}).get("wer")
        if wer is not None:
            english[subject] = round(wer["rate"], 4)
    words = ", ".join(f"{subject.replace('_', ' ')} {rate:.2f}" for subject, rate in english.items())
    launch.console.line(f"{asr.name}, English word error rate: {words or 'not to be trusted here'}")
    return {"asr": asr.name, "asr_hash": asr.hash, "wer": english, "trusted": bool(english)}


def _judged(launch: Launch, evidence: dict[str, Any]) -> bool:
    return (launch.out / "results.db").exists()


def _overfit_recipe(launch: Launch) -> Recipe:
    return stage_recipe(launch, launch.project.overfit.recipe, ())


def _overfit_inputs(launch: Launch) -> dict[str, Any]:
    recipe = _overfit_recipe(launch)
    return _corpus_inputs(launch) | {
        "recipe": hash_json(recipe.model_dump(mode="json")),
        "overfit": launch.project.overfit.model_dump(),
    }


def _overfit(launch: Launch) -> dict[str, Any]:
    settings = launch.project.overfit
    with launch.console.progress("overfit") as bar:
        result = overfit(
            _overfit_recipe(launch),
            launch.out / "overfit",
            n=settings.samples,
            max_seconds=settings.max_seconds,
            on_step=lambda step, total, words: bar(step, total, words),
            stop=launch.stop,
        )
    evidence = {
        "loss": result.loss,
        "reproduced_share": result.reproduced_share,
        "samples_whole": sum(sample.reproduced >= 1.0 for sample in result.samples),
        "samples": len(result.samples),
        "steps": result.steps,
        "seconds": result.seconds,
    }
    if launch.stop():
        raise Interrupted("stopped in the overfit gate")
    launch.console.line(
        f"loss {result.loss:.4f}, {100 * result.reproduced_share:.2f}% of codes regenerated, "
        f"{evidence['samples_whole']} of {evidence['samples']} samples whole, {result.seconds:.0f} s"
    )
    if not result.passed:
        raise CheckFailed(
            f"overfit: loss {result.loss:.4f}, {100 * result.reproduced_share:.1f}% of codes regenerated; the model cannot "
            "fit 32 samples, so look for a fault in data, prompt or loss before training"
        )
    return evidence
