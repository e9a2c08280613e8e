"""In which languages the recogniser may decide: by its own errors on a gold pack's recordings, as in every evaluation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.evaluate.recognition import trusted_languages
from vaak.evaluate.reference import reference_scores
from vaak.evaluate.store import open_results
from vaak.evaluate.turns import Stopped
from vaak.recipe import resolve_path
from vaak.recipe.align_tree import AlignRecipe
from vaak.score.asr import Asr, open_asr


def trust_of(
    recipe: AlignRecipe, folder: Path, say: Callable[[str], None], stop: Callable[[], bool] = lambda: False
) -> frozenset[str]:
    """What a recipe's recogniser may decide; kept in the recipe's `results`, or in `folder`."""
    pack = open_pack(resolve_path(recipe.pack)) if recipe.pack else None
    threads = recipe.judges.threads
    asr = open_asr(recipe.judges.asr, threads=threads)
    results = recipe.results or folder / "results.db"
    return measured_trust(pack, open_codec(recipe.codec), asr, results, threads=threads, say=say, stop=stop)


def measured_trust(
    pack: GoldPack | None,
    codec: Codec,
    asr: Asr,
    results: str | Path,
    *,
    threads: int,
    say: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
) -> frozenset[str]:
    """The languages in which what `asr` hears counts. What is in the database already is not measured again.

    Without a pack there are none: a recogniser that nobody has measured decides nothing. When `stop` turned true they are half measured.
    """
    if pack is None:
        say("no pack, so no language's recogniser is trusted and content counts in none; name a gold pack in pack")
        return frozenset()
    db = open_results(results)
    with suppress(Stopped):  # whoever asked to stop does not go on with what is half measured
        reference_scores(pack, codec, asr, db, threads=threads, say=say, stop=stop)
    return trusted_languages(db, pack.id, f"{asr.name.replace('+', '_')}@{asr.hash[:12]}")
