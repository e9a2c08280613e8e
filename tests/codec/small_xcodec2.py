"""Small random models of transformers' own Xcodec2 and NeuCodec classes, saved as their published folders are."""

from __future__ import annotations

from pathlib import Path

import torch

SEMANTIC = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_depthwise_kernel_size": 7,
}


def save_small(kind: str, folder: Path, seed: int = 0, **changes) -> Path:
    """Weights are spread by fan-in: as transformers initialises them, every frame gets one and the same code."""
    import transformers

    config_class = {"xcodec2": transformers.Xcodec2Config, "neucodec": transformers.NeuCodecConfig}[kind]
    model_class = {"xcodec2": transformers.Xcodec2Model, "neucodec": transformers.NeuCodecModel}[kind]
    torch.manual_seed(seed)
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    heads = {"num_key_value_heads": 2, "head_dim": 32, "encoder_hidden_size": 4, "quantization_dim": 96}
    model = model_class(config_class(**{**sizes, **heads, "semantic_model_config": SEMANTIC, **changes}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
        model.quantizer.project_in.weight.mul_(3)
    model.save_pretrained(folder)
    return folder
