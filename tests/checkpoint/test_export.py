"""An export is an ordinary Hugging Face folder with the same logits and the same ids."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from vaak.checkpoint import export_model, save_checkpoint
from vaak.errors import BadInput
from vaak.grammar.tokenizer import train_tokenizer
from vaak.model import ModelSettings, create_model, open_model


def test_an_export_reloads_with_identical_logits_and_ids(tmp_path):
    text = "the cat sat on the mat. बिल्ली चटाई पर बैठी।"
    tokenizer = train_tokenizer([text] * 5, 290)
    vocabulary = tokenizer.vocabulary(codebook_size=40)
    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=8)
    model = create_model(
        ModelSettings(config={"model_type": "qwen3", **sizes, "intermediate_size": 16}), vocabulary, seed=0
    )
    files = {"tokenizer.json": tokenizer.source.encode()}
    save_checkpoint(tmp_path / "run", 3, model, state={"step": 3}, files=files)
    out = export_model(tmp_path / "run", tmp_path / "out")

    plain, plain_tokenizer = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    ids = torch.randint(0, vocabulary.size, (1, 12))
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, model.lm(ids).logits)
    assert plain_tokenizer(text)["input_ids"] == tokenizer.encode(text)
    assert plain_tokenizer.convert_tokens_to_ids("<|speech_start|>") == vocabulary.speech_start
    assert plain_tokenizer.convert_tokens_to_ids("<|speech_end|>") == vocabulary.speech_end
    assert np.array_equal(open_model(out).vocabulary.codes([vocabulary.first_speech_id + 7]), [7])
    with pytest.raises(BadInput, match="not empty"):
        export_model(tmp_path / "run", out)
