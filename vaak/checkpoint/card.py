"""The model card of an export: what the model is, what it was trained on and how, what was measured, what is left to fill in.

The same checkpoint and notes give the same text. It names no folder, address or machine: models and parents by the last part
of their path alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vaak.checkpoint.folder import Checkpoint, load_state
from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.languages import LANGUAGES
from vaak.mixture import Plan, RealisedMass, load_plan
from vaak.track import read_jsonl

FILL_IN = "TO FILL IN"
_STREAMS = {"raw": "raw audio", "paired": "paired", "text": "text"}
_KINDS = {
    "pretrain": "pretraining",
    "sft": "fine-tuning",
    "grpo": "alignment by rewards (GRPO)",
    "dpo": "alignment by preferences (DPO)",
}
_TAGS = ["speech", "speech-language-model", "neural-codec", "vaak"]


def model_card(checkpoint: Checkpoint, n_parameters: int, notes: str | None = None) -> str:
    """README.md of an export, with its YAML front matter. notes: Markdown on the model's evaluation.

    Raises `BadInput` if a file of the checkpoint cannot be read.
    """
    folder = checkpoint.path
    state, recipe = load_state(folder), _recipe(folder)
    plan = load_plan(folder) if (folder / "plan.json").is_file() else None
    mass = RealisedMass.from_state(state["mass"]) if "mass" in state else None
    # An alignment has no mixture: its recipe names the languages of its prompts.
    languages = _languages(plan, mass) or sorted((recipe.get("prompts") or {}).get("languages") or {})
    name = checkpoint.id.split("/")[0]
    sections = [
        f"# {name}, step {checkpoint.step:,}",
        _what_it_is(folder, recipe, languages, n_parameters),
        _use(Vocabulary.load(folder), recipe),
        _mixture(plan, mass),
        _training(checkpoint, state, recipe, plan),
        _metrics(checkpoint),
        *([f"## Evaluation\n\n{notes.strip()}"] if notes and notes.strip() else []),
        _LIMITATIONS,
        _LICENCE,
    ]
    return _front_matter(recipe, languages) + "\n\n".join(one for one in sections if one) + "\n"


_LIMITATIONS = """## Limitations

- It says what it was trained to say: other languages, scripts and manners of speech than those above come out wrong or not at all.
- It can leave out, repeat or change words, and it can go on too long. Check what matters with speech recognition or by ear.
- Codes mean sound only to the codec that they were trained with.
- It can imitate a voice from a few seconds. Do so only with that person's consent, and say that the speech is synthetic."""

_LICENCE = f"""## Licence

- Licence of the weights: **{FILL_IN}** (and `license` in the front matter)
- Licence and source of the training data: **{FILL_IN}**
- Who trained it, and a contact: **{FILL_IN}**"""


def _recipe(folder: Path) -> dict[str, Any]:
    path = folder / "recipe.yaml"
    if not path.is_file():
        return {}
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path} cannot be read as YAML ({type(error).__name__}); use another checkpoint") from error
    return tree if isinstance(tree, dict) else {}


def _languages(plan: Plan | None, mass: RealisedMass | None) -> list[str]:
    found = {one.cell.language for one in (*plan.cells, *plan.unserved)} if plan else set()
    return sorted(found | ({language for _, language, _ in mass.targets} if mass else set()))


def _front_matter(recipe: dict[str, Any], languages: list[str]) -> str:
    fields: dict[str, Any] = {"language": languages} if languages else {}
    fields |= {"license": "unknown", "library_name": "transformers", "pipeline_tag": "text-to-speech", "tags": _TAGS}
    base = _base(recipe)
    if "/" in base:  # the Hub takes no other names here than its own
        fields["base_model"] = base
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n\n".replace("license: unknown\n", f"license: unknown  # {FILL_IN}\n")


def _base(recipe: dict[str, Any]) -> str:
    """The base model: a Hub id as it is, a folder by its last part, or nothing."""
    path = str((recipe.get("model") or {}).get("path") or "")
    is_id = path.count("/") == 1 and not path.startswith(("/", "~", ".")) and "\\" not in path and ":" not in path
    return path if is_id else _last(path)


def _last(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").split("/")[-1]


def _what_it_is(folder: Path, recipe: dict[str, Any], languages: list[str], n_parameters: int) -> str:
    vocabulary = Vocabulary.load(folder)
    names = [LANGUAGES[code].name if code in LANGUAGES else code for code in languages]
    lines = [
        "A speech language model: it continues text with the codes of a neural audio codec, which the codec turns into sound. "
        f"It has {n_parameters:,} parameters, {vocabulary.base_size:,} ids of text and {vocabulary.codebook_size:,} codes."
    ]
    if names:
        lines.append(f"Languages: {', '.join(names)}.")
    base, parent = _base(recipe), _last(str(recipe.get("parent") or ""))
    if parent:
        lines.append(f"It continues the training of `{parent}`.")
    elif base:
        lines.append(f"It began as `{base}`.")
    return "\n\n".join(lines)


def _use(vocabulary: Vocabulary, recipe: dict[str, Any]) -> str:
    codec = _last(str(recipe.get("codec") or "")) or "the codec that it was trained with"
    first, size = vocabulary.first_speech_id, vocabulary.size
    return f"""## Use

With Vaak, which brings the codec (`{codec}`) along:

```
vaak speak FOLDER "The text to say." -o speech.wav
```

With transformers (or any engine that opens its folders, such as vLLM). A prompt is the text and `<|speech_start|>`; what
follows until `<|speech_end|>` are codes, code 0 being id {first}:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
prompt = tokenizer("The text to say.<|speech_start|>", return_tensors="pt")
ids = model.generate(**prompt, max_new_tokens=1000)[0, prompt["input_ids"].shape[1] :].tolist()
codes = [one - {first} for one in ids if {first} <= one < {size}]  # for the decoder of the codec
```

A voice in words, if it was trained with any, stands before the text: `<|voice_start|>…<|voice_end|>`."""


def _mixture(plan: Plan | None, mass: RealisedMass | None) -> str:
    if plan is None and mass is None:
        return ""
    wanted: dict[tuple[str, str], float] = {}
    for one in (*plan.cells, *plan.unserved) if plan else ():
        key = (one.cell.stream, one.cell.language)
        wanted[key] = wanted.get(key, 0.0) + one.wanted_share
    served: dict[tuple[str, str], int] = {}
    for (stream, language, _), tokens in mass.targets.items() if mass else ():
        served[stream, language] = served.get((stream, language), 0) + tokens
    total = sum(served.values())
    rows = [
        [
            _STREAMS.get(key[0], key[0]),
            key[1],
            f"{wanted[key]:.2%}" if key in wanted else "–",
            f"{served.get(key, 0) / total:.2%}" if total else "–",
            f"{served.get(key, 0):,}",
        ]
        for key in sorted({*wanted, *served})
    ]
    head = ["stream", "language", "wanted share", "realised share", "tokens"]
    return "## Data mixture\n\nShares of the target tokens of this stage, up to this step.\n\n" + _table(head, rows)


def _training(checkpoint: Checkpoint, state: dict[str, Any], recipe: dict[str, Any], plan: Plan | None) -> str:
    schedule, optimizer = recipe.get("schedule") or {}, recipe.get("optimizer") or {}
    step = f"{checkpoint.step:,}" + (f" of {state['steps']:,}" if "steps" in state else "")
    rates = f"{schedule['peak_lr']:g} to {schedule.get('min_lr', 0):g}" if "peak_lr" in schedule else None
    rows = [
        ["stage", recipe.get("name")],
        ["kind", _KINDS.get(str(recipe.get("kind")))],
        ["steps", step],
        ["context", _count(recipe.get("context"))],
        ["tokens per step", _count(recipe.get("tokens_per_step"))],
        ["learning rate, peak to minimum", rates],
        ["schedule", schedule.get("kind")],
        ["optimizer", optimizer.get("kind")],
        ["weight decay", optimizer.get("weight_decay")],
        ["LoRA rank (merged)", (recipe.get("lora") or {}).get("rank")],
        ["precision", state.get("precision")],
        ["seed", state.get("seed")],
        ["codec", _last(str(recipe.get("codec") or "")) or None],
        ["plan", f"`{plan.fingerprint}`" if plan else None],
        *(["corpus", f"`{one}`"] for one in state.get("corpora", ())),
        ["checkpoint", f"`{checkpoint.id}`"],
    ]
    return "## Training\n\n" + _table(["what", "value"], [[a, str(b)] for a, b in rows if b is not None])


def _count(value: Any) -> str | None:
    return f"{value:,}" if isinstance(value, int) else None


def _metrics(checkpoint: Checkpoint) -> str:
    """The newest losses at or before the step, if the checkpoint still lies in its run's folder."""
    path = checkpoint.path.resolve().parent.parent / "metrics.jsonl"
    if not path.is_file():
        return ""
    rows = [row for row in read_jsonl(path) if row.get("step", 0) <= checkpoint.step]
    # The loss of an alignment says nothing by itself.
    if aligned := [row for row in rows if "reward" in row or "margin" in row]:
        newest = aligned[-1]
        names = sorted(name for name in newest if name.startswith("reward") or name == "margin")
        values = [[f"`{name}`", f"{newest[name]:.4f}"] for name in names]
        return f"## Metrics\n\nAlignment, at step {newest['step']:,}:\n\n" + _table(["figure", "mean"], values)
    parts = []
    for title, first, below in (("Training", "loss", "loss/"), ("Validation", "val/loss", "val/")):
        newest = next((row for row in reversed(rows) if first in row), None)
        if newest is not None:
            names = [first, *sorted(name for name in newest if name.startswith(below) and name != first)]
            values = [[f"`{name}`", f"{newest[name]:.4f}"] for name in names]
            parts.append(f"{title}, at step {newest['step']:,}:\n\n" + _table(["loss", "nats per token"], values))
    return "## Metrics\n\n" + "\n\n".join(parts) if parts else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)
