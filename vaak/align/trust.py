"""In which languages the recogniser may decide: by its own errors on a gold pack's recordings, as in every evaluation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vaak.codec import Codec
from vaak.corpus.pack_items import GoldPack
from vaak.evaluate.recognition import id_of, trusted_languages
from vaak.evaluate.reference import reference_scores
from vaak.evaluate.store import open_results
from vaak.evaluate.turns import Stopped
from vaak.recipe.align_tree import AlignRecipe
from vaak.score.asr import Asr


def trust_of(
    recipe: AlignRecipe,
    pack: GoldPack | None,
    codec: Codec,
    asr: Asr,
    folder: Path,
    say: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
) -> frozenset[str]:
    """The languages in which what `asr` hears counts. What is in the database already is not measured again.

    pack: the recipe's; without one there are none, since a recogniser that nobody has measured decides nothing. The database is
    the recipe's `results`, or one in `folder`. When `stop` turned true they are half measured, and the caller does not go on.
    """
    if pack is None:
        say("no pack, so no language's recogniser is trusted and content counts in none; name a gold pack in pack")
        return frozenset()
    db = open_results(recipe.results or folder / "results.db")
    with suppress(Stopped):
        reference_scores(pack, codec, asr, db, threads=recipe.judges.threads, say=say, stop=stop)
    trusted = trusted_languages(db, pack.id, id_of(asr))
    languages = ", ".join(sorted(trusted & set(recipe.prompts.languages))) or "no language"
    say(f"content counts in {languages}, where {asr.name} is trusted")
    return trusted
