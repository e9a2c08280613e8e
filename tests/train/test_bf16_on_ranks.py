"""bf16 on several processes: what is gathered comes in bfloat16, the stream between layers and the gradients stay float32."""

import json

import pytest

from tests.train.on_ranks import ended, start_ranks

pytestmark = pytest.mark.slow

FORWARD = """
import json, sys
from tests.model.tiny_models import VOCABULARY, architecture, batch
from vaak.model import create_model
from vaak.recipe import ParallelSettings
from vaak.host import compute_in
from vaak.train.parallel import parallelise
from vaak.train.world import joined

# In a function: what the model holds is given back before the processes part.
def run(world):
    model = create_model(architecture("qwen3"), VOCABULARY, seed=1)
    module = parallelise(model, ParallelSettings(kind=sys.argv[1]), world, "bf16")
    seen = {}
    def streams(layer, args, kwargs):
        seen["stream"] = str((args[0] if args else kwargs["hidden_states"]).dtype)
    def products(layer, args, output):
        seen["product"] = str(output.dtype)
    model.lm.model.layers[1].register_forward_pre_hook(streams, with_kwargs=True)
    model.lm.model.layers[1].mlp.up_proj.register_forward_hook(products)
    with compute_in("bf16", world.device):
        output = module(batch([[10, 5, 15], [30]]))
    output.sum.backward()
    seen["gradients"] = sorted({str(parameter.grad.dtype) for parameter in model.parameters()})
    if world.is_first:
        print(json.dumps({**seen, "loss": output.sum.item()}))

with joined("cpu") as world:
    run(world)
"""


def forward(size, kind):
    results = ended(start_ranks(size, "-c", FORWARD, kind))
    assert all(code == 0 for code, _ in results), results
    return json.loads(results[0][1].splitlines()[-1])


def test_the_stream_between_layers_is_that_of_one_process():
    alone = forward(1, "fsdp")
    for kind in ("ddp", "fsdp"):
        found = forward(2, kind)
        assert found.pop("loss") == pytest.approx(alone["loss"], rel=1e-3)
        assert found == {"stream": "torch.float32", "product": "torch.bfloat16", "gradients": ["torch.float32"]}
