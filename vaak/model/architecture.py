"""Which base models can become a speech language model, and which are refused, with the reason."""

from __future__ import annotations

import warnings
from typing import Any

from vaak.errors import BadInput

FAMILIES = ("qwen3", "llama")

# Checkpoints of a supported architecture that only ever answer after a long written thought. Their configuration looks
# like any other of the family, so a name is all there is to know them by.
THINKING_ONLY = (
    "qwen3-4b-thinking-2507",
    "qwen3-30b-a3b-thinking-2507",
    "qwen3-235b-a22b-thinking-2507",
    "qwen3-next-80b-a3b-thinking",
    "qwq-32b",
    "deepseek-r1",
    "deepseek-r1-0528-qwen3-8b",
    "deepseek-r1-distill-llama-8b",
    "deepseek-r1-distill-llama-70b",
)
# Qwen3 checkpoints that think on request: usable, but tuned away from plain continuation.
HYBRID = ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b", "qwen3-14b", "qwen3-32b")

_EXPERT_FIELDS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size")


def check_name(name: str) -> None:
    """Refuse thinking-only and mixture-of-experts checkpoints by name; warn about the hybrid ones.

    name: a Hub id or a folder; only its last part counts. Raises `BadInput`.
    """
    last = name.rstrip("/").split("/")[-1].lower()
    if last in THINKING_ONLY or last.endswith(("-thinking", "-thinking-2507")):
        raise BadInput(
            f"{name} is a thinking-only checkpoint: it is trained to write a thought before any answer, and that habit "
            "works against speaking at once; take a base model such as Qwen/Qwen3-1.7B-Base"
        )
    if last in HYBRID:
        warnings.warn(
            f"{name} is tuned for chat and for thinking on request; {name}-Base is the better start", stacklevel=2
        )


def check_architecture(fields: dict[str, Any], name: str) -> None:
    """Refuse what is no dense Qwen3 or Llama.

    fields: a transformers configuration as a dict. Raises `BadInput` naming the model and the reason.
    """
    kind = str(fields.get("model_type"))
    experts = [field for field in _EXPERT_FIELDS if (fields.get(field) or 0) and fields.get(field) != 1]
    architectures = " ".join(fields.get("architectures") or [])
    if experts or "moe" in kind.lower() or "moe" in architectures.lower() or kind == "mixtral":
        why = f" ({experts[0]} = {fields[experts[0]]})" if experts else f" (model_type {kind})"
        raise BadInput(
            f"{name} is a mixture of experts{why}: its routing balance does not survive a new vocabulary and a new kind of "
            "token, so only dense models are trained; take Qwen/Qwen3-1.7B-Base"
        )
    if kind not in FAMILIES:
        raise BadInput(f"{name} has model_type {kind!r}; the families that are supported are {' and '.join(FAMILIES)}")
    if fields.get("attention_dropout"):
        raise BadInput(
            f"{name} has attention_dropout {fields['attention_dropout']}, which the kernels for packed rows do not apply alike; "
            "set it to 0"
        )
    if "sliding_attention" in (fields.get("layer_types") or []) or fields.get("use_sliding_window"):
        raise BadInput(
            f"{name} uses sliding-window attention, which packed rows do not; set use_sliding_window to false"
        )
