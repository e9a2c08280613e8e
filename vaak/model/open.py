"""Models come from a recipe (an architecture, a folder, a Hub id) or from what an earlier run saved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, GenerationConfig, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging as transformers_logging

from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.model import attention
from vaak.model.architecture import check_architecture, check_name
from vaak.model.sampling import TEMPERATURE, TOP_K, TOP_P
from vaak.model.settings import ModelSettings
from vaak.model.speech_lm import SpeechLM
from vaak.model.vocabulary_rows import extend_rows, place_codes, with_padding, without_padding
from vaak.storage.files import read_json, write_json
from vaak.storage.tensors import read_tensors

_CLASSES: dict[str, tuple[Any, Any]] = {
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
}


def create_model(
    settings: ModelSettings, vocabulary: Vocabulary, seed: int, code_levels: Sequence[int] | None = None
) -> SpeechLM:
    """The model that a recipe starts from, in float32.

    code_levels: the grid of the codec's quantiser, where it has one: new rows of codes then begin near those of their
    neighbours (`place_codes`).
    A path with a vocabulary.json of its own is opened as it is; any other base model gets its vocabulary extended.
    The same settings, vocabulary and seed give the same weights. Raises `BadInput` for a model that cannot be used.
    """
    if settings.config is not None:
        return _placed(_from_architecture(settings.config, vocabulary, seed), code_levels, seed)
    assert settings.path is not None
    folder = Path(settings.path)
    if (folder / "vocabulary.json").is_file():
        model = open_model(folder)
        if model.vocabulary != vocabulary:
            raise BadInput(
                f"{folder} was trained with the vocabulary {model.vocabulary}, this recipe's tokenizer and codec give "
                f"{vocabulary}; use the tokenizer and codec of that model"
            )
        return model
    return _placed(_from_base_model(settings.path, vocabulary, seed), code_levels, seed)


def check_base(settings: ModelSettings) -> None:
    """Raise `BadInput` for a model that `create_model` would refuse by its name or its architecture; no weights are read."""
    if settings.config is not None:
        _check_config(settings.config)
        return
    assert settings.path is not None
    if not (Path(settings.path) / "vocabulary.json").is_file():
        _base_config(settings.path)


def _placed(model: SpeechLM, levels: Sequence[int] | None, seed: int) -> SpeechLM:
    if levels is not None:
        place_codes(model.lm, model.vocabulary, levels, seed)
    return model


def open_model(folder: str | Path) -> SpeechLM:
    """Open a trained model: a checkpoint or an export, with config.json, vocabulary.json and its weights.

    The weights are a folder `model/` in a checkpoint and one `model.safetensors` in an export, which has no rows of padding:
    here they are zeros again, outside of every softmax as ever.

    Parameters come in float32, the module in evaluation mode. Raises `BadInput` if a file is missing or does not fit,
    and for a checkpoint that was never completed.
    """
    folder = Path(folder)
    if (folder / "MANIFEST.json").exists() and not (folder / "COMPLETE.json").exists():
        raise BadInput(f"{folder} is a checkpoint that was not finished (no COMPLETE.json); use another step")
    for name in ("config.json", "model.safetensors", "vocabulary.json"):
        if not (folder / name).is_file() and not (name == "model.safetensors" and (folder / "model").is_dir()):
            raise BadInput(f"{folder} has no {name}; name a checkpoint or an exported model")
    vocabulary = Vocabulary.load(folder)
    fields = read_json(folder / "config.json")
    check_architecture(fields, str(folder))
    config_class, model_class = _CLASSES[fields["model_type"]]
    config = config_class.from_dict(fields)
    if config.vocab_size not in (vocabulary.size, vocabulary.padded_size):
        raise BadInput(
            f"{folder}: config.json has {config.vocab_size} rows, vocabulary.json needs {vocabulary.size}; export the model again"
        )
    weights = _weights(folder)
    if config.vocab_size == vocabulary.size:
        weights = with_padding(weights, vocabulary)
        config.vocab_size = vocabulary.padded_size
    with torch.device("meta"):
        lm = _new(model_class, config)
    _fill(lm, {name: tensor.float() for name, tensor in weights.items()}, folder)
    model = SpeechLM(lm, vocabulary)
    model.eval()
    return model


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    if (folder / "model").is_dir():
        return read_tensors(folder / "model")
    try:
        return load_file(folder / "model.safetensors")
    except Exception as error:  # safetensors raises its own error type for a damaged file
        raise BadInput(f"{folder / 'model.safetensors'} is damaged ({error}); use another checkpoint") from error


def save_model(model: SpeechLM, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Write config.json, generation_config.json, model.safetensors and vocabulary.json, as other programs read them.

    Rows of padding are left out: what samples from this folder cannot draw them, whether or not it knows `suppress_tokens`.
    A tied matrix is written once. Each file is whole or absent; the folder as a whole is the caller's care. Raises `OSError`
    if the disk is full.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = without_padding(model.lm.state_dict(), model.vocabulary)
    if model.config.tie_word_embeddings:
        tensors.pop("lm_head.weight", None)
    temporary = folder / ".model.safetensors.tmp"
    try:
        save_file(
            {name: one.detach().to(dtype).contiguous() for name, one in tensors.items()}, temporary, {"format": "pt"}
        )
    except SafetensorError as error:
        temporary.unlink(missing_ok=True)
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else 0, f"{temporary} could not be written: {error}") from error
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, folder / "model.safetensors")
    changed = {
        "vocab_size": model.vocabulary.size,
        "dtype": str(dtype).removeprefix("torch."),
        **_older_rope(model.config),
    }
    _save_config(model, folder, changed)
    write_json(folder / "generation_config.json", _generation(model.vocabulary))
    model.vocabulary.save(folder / "vocabulary.json")


def save_model_files(model: SpeechLM, folder: Path) -> None:
    """Write what stands beside a checkpoint's weights: config.json, generation_config.json and vocabulary.json."""
    _save_config(model, folder, {"dtype": "float32"})
    padding = list(range(model.vocabulary.size, model.vocabulary.padded_size))
    write_json(folder / "generation_config.json", {**_generation(model.vocabulary), "suppress_tokens": padding})
    model.vocabulary.save(folder / "vocabulary.json")


def _save_config(model: SpeechLM, folder: Path, changed: dict[str, Any]) -> None:
    fields = json.loads(model.config.to_json_string(use_diff=False))
    # An absent bos_token_id would be read back as the family's default, so what is None is written as null.
    fields = {name: value for name, value in fields.items() if not name.startswith("_") and "label" not in name}
    write_json(folder / "config.json", {**fields, "architectures": [type(model.lm).__name__], **changed})


def _older_rope(config: Any) -> dict[str, Any]:
    """The rotary settings under the names of transformers before version 5, which would take its defaults without a word."""
    settings = dict(config.rope_parameters)
    theta = settings.pop("rope_theta")
    scaled = settings.get("rope_type", "default") != "default"
    return {"rope_theta": theta, "rope_scaling": settings if scaled else None}


def _generation(vocabulary: Vocabulary) -> dict[str, Any]:
    """Sampling defaults of a saved model: it stops at speech_end."""
    return {
        "eos_token_id": [vocabulary.speech_end, vocabulary.end_of_text_id],
        "pad_token_id": vocabulary.end_of_text_id,
        "do_sample": True,
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
        "top_k": TOP_K,
    }


def _check_config(fields: dict[str, Any]) -> None:
    """Refuse a configuration with an unknown field, or of which no model can be built."""
    name = "the recipe's model.config"
    check_architecture(fields, name)
    config_class, model_class = _CLASSES[fields["model_type"]]
    known = {*config_class().to_dict(), "rope_theta"}
    for field in fields:
        if field not in known:
            near = get_close_matches(field, known, n=1)
            raise BadInput(
                f"{name} has the unknown field {field}" + (f"; did you mean {near[0]}?" if near else "; remove it")
            )
    given = {field: value for field, value in fields.items() if field != "model_type"}
    try:
        with torch.device("meta"):
            _new(model_class, config_class(**{**given, "vocab_size": 128}))
    except Exception as error:  # whatever it is that transformers or PyTorch stumble over
        raise BadInput(f"no model can be built of {name} ({' '.join(str(error).split())[:200]}); correct it") from error


def _from_architecture(fields: dict[str, Any], vocabulary: Vocabulary, seed: int) -> SpeechLM:
    check_architecture(fields, "the recipe's model.config")
    config_class, model_class = _CLASSES[fields["model_type"]]
    known = {"tie_word_embeddings": True, "bos_token_id": None, **fields}
    known.pop("model_type")
    # No pad_token_id: transformers would freeze that row of the embedding, and end-of-text is a real token here.
    config = config_class(
        **known, vocab_size=vocabulary.padded_size, eos_token_id=vocabulary.speech_end, pad_token_id=None
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SpeechLM(_new(model_class, config), vocabulary)


def _from_base_model(path: str, vocabulary: Vocabulary, seed: int) -> SpeechLM:
    config = _base_config(path)
    config.pad_token_id = None
    transformers_logging.disable_progress_bar()
    try:
        model_class = _CLASSES[config.model_type][1]
        lm, found = model_class.from_pretrained(
            path,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation=attention.NAME,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unopened(path, error) from error
    # transformers would draw what is missing, with a seed that nobody gave.
    absent = sorted(found["missing_keys"]) + sorted(str(key) for key in found["mismatched_keys"])
    if absent:
        raise BadInput(f"the base model {path} lacks {absent[0]}, or holds it in another shape; restore its weights")
    extend_rows(lm, vocabulary, seed)
    lm.config.eos_token_id = vocabulary.speech_end
    lm.generation_config = GenerationConfig(**_generation(vocabulary))
    return SpeechLM(lm, vocabulary)


def _base_config(path: str) -> Any:
    """The configuration of a folder or a Hub id, refused if no speech language model can be made of it."""
    check_name(path)
    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unopened(path, error) from error
    check_architecture(config.to_dict(), path)
    check_name(str(config.to_dict().get("_name_or_path") or ""))
    return config


def _unopened(path: str, error: Exception) -> BadInput:
    return BadInput(f"the base model {path} cannot be opened: {str(error).splitlines()[0]}")


def _new(model_class: Any, config: Any) -> Any:
    config._attn_implementation = attention.NAME
    return model_class(config)


def _fill(lm: Any, weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Put loaded tensors into a model built without memory, and compute what is not stored."""
    if lm.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    shapes = {name: tuple(tensor.shape) for name, tensor in lm.state_dict().items()}
    expected = {name for name in shapes if not (name == "lm_head.weight" and lm.config.tie_word_embeddings)}
    wrong = sorted(expected ^ set(weights)) or [n for n in expected if tuple(weights[n].shape) != shapes[n]]
    if wrong:
        raise BadInput(f"the weights of {folder} do not fit its config.json ({wrong[0]}); export the model again")
    lm.load_state_dict(weights, strict=False, assign=True)
    lm.tie_weights()
    for parameter in lm.parameters():
        parameter.requires_grad_(True)
    # The rotary frequencies follow from the configuration and are not stored.
    lm.model.rotary_emb = type(lm.model.rotary_emb)(lm.config)
