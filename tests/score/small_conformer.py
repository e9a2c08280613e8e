"""A small IndicConformer with random weights in the layout of the published one: the same files, names, inputs, classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# In the order of the published masks; each has 256 pieces, and the last class is the blank of all.
LANGUAGES = [
    "as",
    "bn",
    "brx",
    "doi",
    "kok",
    "gu",
    "hi",
    "kn",
    "ks",
    "mai",
    "ml",
    "mr",
    "mni",
    "ne",
    "or",
    "pa",
    "sa",
    "sat",
    "sd",
    "ta",
    "te",
    "ur",
]
PIECES = 256
CLASSES = len(LANGUAGES) * PIECES + 1
BANDS, WIDTH = 80, 16


def make_conformer(folder: Path, seed: int = 0) -> Path:
    """An encoder of one convolution that keeps each eighth frame, and a linear head; weights beside the graph, one a file."""
    assets = folder / "assets"
    assets.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    _save(_encoder(rng), assets / "encoder.onnx", external=True)
    _save(_head(rng), assets / "ctc_decoder.onnx", external=False)
    vocab = {code: [f"▁{code}{i} " if i % 3 == 0 else f"{code}{i} " for i in range(PIECES + 1)] for code in LANGUAGES}
    masks = {code: _mask(place) for place, code in enumerate(LANGUAGES)}
    for name, content in (("vocab.json", vocab), ("language_masks.json", masks)):
        (assets / name).write_text(json.dumps(content), encoding="utf-8")
    # What the published folder has besides and nobody may open.
    (assets / "preprocessor.ts").write_bytes(b"TorchScript")
    (assets / "joint_enc.onnx").write_bytes(b"transducer")
    (folder / "model_onnx.py").write_text("raise SystemExit('the code of the folder ran')\n")
    (folder / "config.json").write_text(json.dumps({"BLANK_ID": PIECES, "SOS": PIECES, "RNNT_MAX_SYMBOLS": 10}))
    return folder


def _mask(place: int) -> list[bool]:
    mask = np.zeros(CLASSES, bool)
    mask[place * PIECES : (place + 1) * PIECES] = True
    mask[-1] = True
    return mask.tolist()


def _encoder(rng: np.random.Generator) -> onnx.ModelProto:
    kernel = rng.normal(0, 0.1, (WIDTH, BANDS, 9)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["audio_signal", "layers.0.weight"], ["conv"], pads=[4, 4], strides=[8]),
        helper.make_node("Tanh", ["conv"], ["outputs"]),
        # (length - 1) // 8 + 1 frames
        helper.make_node("Sub", ["length", "one"], ["before"]),
        helper.make_node("Div", ["before", "eight"], ["eighths"]),
        helper.make_node("Add", ["eighths", "one"], ["encoded_lengths"]),
    ]
    constants = {"layers.0.weight": kernel, "one": np.array([1], np.int64), "eight": np.array([8], np.int64)}
    inputs = [("audio_signal", TensorProto.FLOAT, ["b", BANDS, "t"]), ("length", TensorProto.INT64, ["b"])]
    outputs = [("outputs", TensorProto.FLOAT, ["b", WIDTH, "f"]), ("encoded_lengths", TensorProto.INT64, ["b"])]
    return _model(nodes, inputs, outputs, constants)


def _head(rng: np.random.Generator) -> onnx.ModelProto:
    weight = rng.normal(0, 1, (CLASSES, WIDTH, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["encoder_output", "decoder_layers.0.weight"], ["classes"]),
        helper.make_node("Transpose", ["classes"], ["logprobs"], perm=[0, 2, 1]),
    ]
    inputs = [("encoder_output", TensorProto.FLOAT, ["b", WIDTH, "f"])]
    outputs = [("logprobs", TensorProto.FLOAT, ["b", "f", CLASSES])]
    return _model(nodes, inputs, outputs, {"decoder_layers.0.weight": weight})


def _model(nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _save(model: onnx.ModelProto, path: Path, external: bool) -> None:
    onnx.save_model(
        model, str(path), save_as_external_data=external, all_tensors_to_one_file=False, size_threshold=1024
    )
