"""`vaak`: one command, its verbs, and its exit codes — 0 done, 1 a check did not hold, 2 bad input in one sentence."""

from __future__ import annotations

import os
import sys

# OpenMP threads that spin while they wait make a step several times slower when anything else runs on the machine;
# the setting is read once, when torch is imported, so it stands before everything else.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import typer

from vaak.cli import aligning, auditing, checkpoints, codecs, corpora, costs, evaluation, launches, models, texts
from vaak.errors import BadInput, CheckFailed, Interrupted

app = typer.Typer(
    name="vaak",
    help="Trains speech language models from audio codes: exact mixtures, exact resume, an evaluator that follows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
launches.add_verbs(app)
costs.add_verbs(app)
models.add_verbs(app)
aligning.add_verbs(app)
checkpoints.add_verbs(app)
evaluation.add_verbs(app)
corpora.add_verbs(app)
auditing.add_verbs(app)
codecs.add_verbs(app)
texts.add_verbs(app)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code; what goes wrong on purpose is said in one sentence."""
    try:
        app(args=arguments, standalone_mode=True)
    except BadInput as error:
        _leave(str(error), 2)
    except CheckFailed as error:
        _leave(str(error), 1)
    except Interrupted as stopped:
        _leave(f"{stopped}; run the same command again and it continues", 130)
    except KeyboardInterrupt:
        _leave("interrupted; run the same command again and it continues", 130)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


def _leave(sentence: str, code: int) -> None:
    print(f"vaak: {sentence}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
