"""The tokenizers of Qwen3 and Llama 3, made from the token tables that ship in packages (requirements-tokenizers.txt).

The tables are the real ones, in tiktoken's format: bytes and rank. What a model's folder adds (the pattern of pre-tokens, the
spellings of special tokens) follows the published tokenizers.
"""

from __future__ import annotations

import base64
import os
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import tiktoken
from transformers.convert_slow_tokenizer import TikTokenConverter

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class Table:
    """Where a family's token table lies, its pattern, and its special tokens, whose ids follow the table's."""

    wheel: str
    file: str
    pattern: str
    special: tuple[str, ...]

    @cache  # noqa: B019 - two of them, for as long as the tests run
    def ranks(self) -> dict[bytes, int]:
        """Skips the test where the wheel was not fetched."""
        found = list((Path(sys.prefix) / "wheels").glob(self.wheel))
        if not found:
            pytest.skip("the token tables of Qwen and Llama were not fetched (make setup)")
        with zipfile.ZipFile(found[0]) as wheel:
            lines = wheel.read(self.file).splitlines()
        return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}

    def reference(self) -> tiktoken.Encoding:
        ranks = self.ranks()
        special = {token: len(ranks) + i for i, token in enumerate(self.special)}
        return tiktoken.Encoding("table", pat_str=self.pattern, mergeable_ranks=ranks, special_tokens=special)

    def tokenizer_json(self, folder: Path) -> Path:
        """The same as a `tokenizer.json`, as a base model's folder has it."""
        table = folder / "table.tiktoken"
        table.write_bytes(b"\n".join(base64.b64encode(token) + b" %d" % rank for token, rank in self.ranks().items()))
        os.environ["TIKTOKEN_CACHE_DIR"] = (
            ""  # tiktoken keeps a file by its path alone, and takes an older one for this
        )
        converter = TikTokenConverter(str(table), pattern=self.pattern, extra_special_tokens=list(self.special))
        converter.converted().save(str(folder / "tokenizer.json"))
        return folder


QWEN3 = Table(
    "dashscope-*.whl",
    "dashscope/resources/qwen.tiktoken",
    WORDS + r"\p{N}" + REST,
    (
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
        "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
        "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
        "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
    ),
)  # fmt: skip
LLAMA3 = Table(
    "llama_models-*.whl",
    "llama_models/llama3/tokenizer.model",
    WORDS + r"\p{N}{1,3}" + REST,
    ("<|begin_of_text|>", "<|end_of_text|>", *(f"<|reserved_special_token_{i}|>" for i in range(254))),
)
