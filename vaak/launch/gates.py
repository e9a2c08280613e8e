"""The gates before training: the frozen corpus, the gold pack, the audit, the 32-sample overfit (SPEC G1–G4)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vaak.audit import AuditReport, audit_corpus, loosened
from vaak.codec import open_codec
from vaak.corpus.pack import build_pack, damaged_pack, open_pack
from vaak.corpus.reader import open_corpus
from vaak.errors import BadInput, Interrupted
from vaak.evaluate import open_results, reference_scores, reference_summary
from vaak.evaluate.checkpoint import Stopped
from vaak.evaluate.measures import VERSIONS
from vaak.grammar.tokenizer import load_tokenizer
from vaak.launch.corpora import changed_files, corpus_ids, corpus_paths, main_corpus, verify_all
from vaak.launch.limits import Judged
from vaak.launch.project import OverfitSettings
from vaak.launch.stages import resolve, stage_recipe
from vaak.launch.walk import Launch, Step
from vaak.recipe import Recipe, is_address
from vaak.score.asr import open_asr
from vaak.storage.files import hash_json, read_json, sha256_file, write_json
from vaak.train.overfit import overfit
from vaak.train.stage import lasting_part


def gate_steps(launch: Launch) -> list[Step]:
    """The gates in the order of SPEC G4; the judges are measured before there is a model to judge."""
    samples = launch.project.overfit.samples
    fault = "the model cannot fit so few samples: look for a fault in data, prompt or loss before training"
    return [
        Step("freeze", "verify every byte of the frozen corpus", _corpus_inputs, _freeze, changed=changed_files),
        Step("pack", "freeze the gold pack before anything is trained", _pack_inputs, _pack,
             holds=_pack_holds, changed=_pack_changed, needed=True),
        Step("audit", "audit the corpus", _audit_inputs, _audit, _judge_audit, _audit_holds,
             remedy=f"look at {launch.out / 'audit.html'} and mend the corpus"),
        Step("judges", "measure the judges: originals, codec round trip, wrong text", _judges_inputs, _judges, holds=_judged),
        Step("overfit", f"overfit {samples} samples, in loss and in regenerated codes", _overfit_inputs, _overfit,
             judge=_judge_overfit, remedy=fault),
    ]  # fmt: skip


def pack_folder(launch: Launch) -> Path:
    return launch.out / "pack"


def _corpus_inputs(launch: Launch) -> dict[str, Any]:
    return {"corpora": corpus_ids(launch)}


def _freeze(launch: Launch) -> dict[str, Any]:
    return {"corpora": verify_all(launch)}


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
    """Whether it is there; what is in it is asked before the next step (`_pack_changed`)."""
    manifest = pack_folder(launch) / "MANIFEST.json"
    return manifest.is_file() and read_json(manifest).get("id") == evidence["pack"]


def _pack_changed(launch: Launch, evidence: dict[str, Any]) -> list[str]:
    folder = pack_folder(launch)
    if not folder.exists():
        return [f"{folder}: is gone"]
    return [f"{folder}/{line}" for line in launch.stamps.problems(folder, lambda: damaged_pack(folder))]


def _audit_inputs(launch: Launch) -> dict[str, Any]:
    settings = launch.project.audit
    return _corpus_inputs(launch) | {
        "audit": settings.model_dump(),
        "limits": sha256_file(settings.limits) if settings.limits else None,
        "codec": open_codec(launch.project.codec).hash,
        "pack": launch.evidence("pack")["pack"],
    }


def _audit(launch: Launch) -> dict[str, Any]:
    """Every corpus on this machine: the first as audit.html, the others as audit-2.html and so on."""
    paths, checks = corpus_paths(launch.project), []
    folders, elsewhere = [one for one in paths if not is_address(one)], [one for one in paths if is_address(one)]
    for url in elsewhere:
        launch.console.line(f"{url} is not audited: it is not on this machine; audit it where it lies", "yellow")
    for number, folder in enumerate(folders, 1):
        report = _audited(launch, folder)
        name = "audit" if number == 1 else f"audit-{number}"
        report.write_html(launch.out / f"{name}.html")
        write_json(launch.out / f"{name}.json", report.to_dict())
        held = sum(check.passed for check in report.checks)
        launch.console.line(f"{report.corpus}: {held} of {len(report.checks)} checks hold; see {name}.html")
        checks += [
            {
                "corpus": report.corpus,
                "name": one.name,
                "passed": one.passed,
                "severity": one.severity,
                "detail": one.detail,
            }
            for one in report.checks
        ]
    return {
        "checks": checks,
        "not_audited": elsewhere,
        "own_loosened": [f"limit of {words}" for words in loosened(launch.project.audit.limits)],
    }


def _audited(launch: Launch, folder: str) -> AuditReport:
    settings = launch.project.audit
    with launch.console.progress("audit") as bar:
        return audit_corpus(
            open_corpus(folder),
            open_codec(launch.project.codec),
            samples=settings.samples,
            seed=launch.project.seed,
            tokenizer=load_tokenizer(resolve(launch.project.tokenizer)),
            decode_per_language=settings.listen_per_language,
            limits=settings.limits,
            pack=open_pack(pack_folder(launch)),
            progress=bar,
        )


def _judge_audit(launch: Launch, evidence: dict[str, Any]) -> list[Judged]:
    failed = sorted({one["name"] for one in evidence["checks"] if not one["passed"] and one["severity"] == "error"})
    name = f"failed checks ({', '.join(failed)})" if failed else "failed checks"
    return [Judged(name, len(failed), 0, 0)]


def _audit_holds(launch: Launch, evidence: dict[str, Any]) -> bool:
    return (launch.out / "audit.html").exists() and (launch.out / "audit.json").exists()


def _judges_inputs(launch: Launch) -> dict[str, Any]:
    codec = open_codec(launch.project.codec).hash
    return {"pack": launch.evidence("pack")["pack"], "codec": codec, "measures": dict(VERSIONS)} | judges_asked_for(
        launch
    )


def judges_asked_for(launch: Launch) -> dict[str, Any]:
    """What the environment says of recognisers and voices to judge by, and where their figures are kept: others find others."""
    names = ("VAAK_ASR", "VAAK_SPEAKER", "VAAK_UTMOS")
    return {
        "judges": {name: os.environ[name] for name in names if name in os.environ},
        "db": launch.project.evaluate.db,
    }


def _judges(launch: Launch) -> dict[str, Any]:
    """Scores of speech that no model made: the scale for what follows, and whether the recogniser is to be trusted."""
    pack, codec = open_pack(pack_folder(launch)), open_codec(launch.project.codec)
    cores = os.cpu_count() or 1
    asr = open_asr(threads=cores)
    results = open_results(launch.db)
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
    return "://" in launch.db or Path(launch.db).exists()


def _overfit_recipe(launch: Launch) -> Recipe:
    return stage_recipe(launch, launch.project.overfit.recipe, launch.project.overfit.overrides)


def _overfit_inputs(launch: Launch) -> dict[str, Any]:
    recipe = _overfit_recipe(launch)
    return _corpus_inputs(launch) | {
        "recipe": hash_json(lasting_part(recipe)),
        "overfit": launch.project.overfit.model_dump(mode="json"),
    }


def _overfit(launch: Launch) -> dict[str, Any]:
    settings = launch.project.overfit
    with launch.console.progress("overfit") as bar:
        result = overfit(
            _overfit_recipe(launch),
            launch.out / "overfit",
            n=settings.samples,
            target_loss=settings.loss,
            wanted_share=settings.reproduced,
            max_seconds=settings.max_seconds,
            on_step=lambda step, total, words: bar(step, total, words),
            stop=launch.stop,
        )
    if launch.stop():
        raise Interrupted("stopped in the overfit gate")
    whole = sum(sample.reproduced >= 1.0 for sample in result.samples)
    launch.console.line(
        f"loss {result.loss:.4f}, {100 * result.reproduced_share:.2f}% of codes regenerated, "
        f"{whole} of {len(result.samples)} samples whole, {result.seconds:.0f} s"
    )
    return {
        "loss": result.loss,
        "reproduced_share": result.reproduced_share,
        "samples_whole": whole,
        "samples": len(result.samples),
        "steps": result.steps,
        "seconds": result.seconds,
    }


def _judge_overfit(launch: Launch, evidence: dict[str, Any]) -> list[Judged]:
    settings, shipped = launch.project.overfit, OverfitSettings(recipe="")
    return [
        Judged("loss", evidence["loss"], settings.loss, shipped.loss),
        Judged("share regenerated", evidence["reproduced_share"], settings.reproduced, shipped.reproduced, most=False),
        Judged("samples", evidence["samples"], settings.samples, shipped.samples, most=False),
    ]
