"""Activations computed again, and compiled layers, give what plain ones give."""

import shutil

import pytest
import torch
from torch._dynamo.utils import counters
from torch.utils._python_dispatch import TorchDispatchMode

from tests.model.tiny_models import VOCABULARY, architecture, batch
from vaak.model import create_model
from vaak.model.attention import doc_bounds, no_mask
from vaak.model.layers import compile_layers, recompute_layers

LENS = [[10, 5, 15], [30]]


def losses_and_gradients(model):
    model.train()
    output = model(batch(LENS))
    output.sum.backward()
    return output.per_token, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def fresh(kind="qwen3"):
    return create_model(architecture(kind), VOCABULARY, seed=1)


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@pytest.mark.parametrize("how", ["selective", "full"])
def test_what_is_computed_again_is_the_same_to_the_bit(kind, how):
    plain, again = fresh(kind), fresh(kind)
    recompute_layers(again, how)
    wanted, found = losses_and_gradients(plain), losses_and_gradients(again)
    assert torch.equal(wanted[0], found[0])
    assert wanted[1].keys() == found[1].keys()
    assert all(torch.equal(gradient, found[1][name]) for name, gradient in wanted[1].items())


def products(model):
    """How many matrix products a forward and backward pass take."""
    counted = 0

    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            nonlocal counted
            counted += operation._schema.name in ("aten::mm", "aten::addmm", "aten::bmm")
            return operation(*args, **(kwargs or {}))

    with Count():
        losses_and_gradients(model)
    return counted


def test_selective_repeats_no_product_and_full_repeats_those_of_every_layer():
    counts = {}
    for how in ("none", "selective", "full"):
        model = fresh()
        recompute_layers(model, how)
        counts[how] = products(model)
    assert counts["selective"] == counts["none"] < counts["full"]


@pytest.fixture
def graphs(monkeypatch):
    """What a layer's forward pass is compiled to, in place of code: compiling breaks off where it cannot be one graph."""
    kept = []

    def keep(graph, _):
        kept.append(graph)
        wanted = next(node for node in graph.graph.nodes if node.op == "output").args[0]
        shapes = [node.meta["example_value"] for node in wanted]
        return lambda *_: tuple(torch.zeros([int(n) for n in one.shape], requires_grad=True) for one in shapes)

    compiled = torch.compile
    monkeypatch.setattr(torch, "compile", lambda forward: compiled(forward, backend=keep, fullgraph=True))
    torch._dynamo.reset()
    yield kept
    torch._dynamo.reset()


@pytest.mark.parametrize("how", ["none", "selective", "full"])
def test_a_layer_that_takes_all_documents_at_once_is_one_graph_for_all_layers_and_lengths(graphs, how):
    model = create_model(architecture("qwen3", num_hidden_layers=4), VOCABULARY, seed=1).train()
    recompute_layers(model, how)
    compile_layers(model)
    for lens in ([[10, 5, 15], [30]], [[4, 26], [20, 10]], [[30], [30]], [[29, 1], [30]], [[1, 29], [17, 13]]):
        ids, positions = (torch.from_numpy(part) for part in (batch(lens).input_ids, batch(lens).position_ids))
        model.lm.model(
            input_ids=ids.long(),
            position_ids=positions.long(),
            attention_mask=no_mask(ids.device),
            use_cache=False,
            doc_bounds=doc_bounds(lens, ids.device),
        )
    assert len(graphs) == 2  # once with the first number of documents, once with any
    modules = [module for graph in graphs for module in graph.modules() if hasattr(module, "graph")]
    assert any("varlen" in str(node.target) for module in modules for node in module.graph.nodes)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for a CPU needs g++")
@pytest.mark.parametrize("how", ["none", "full"])
def test_compiled_layers_give_the_same_gradients(how):
    plain, compiled = fresh(), fresh()
    recompute_layers(compiled, how)
    compile_layers(compiled)
    counters.clear()
    wanted, found = losses_and_gradients(plain), losses_and_gradients(compiled)
    # On a CPU attention goes document by document, which is no graph: recomputed layers then stay as they are.
    assert (counters["stats"]["unique_graphs"] > 0) == (how == "none")
    torch.testing.assert_close(wanted[0], found[0], rtol=1e-5, atol=1e-5)
    assert wanted[1].keys() == found[1].keys()
    for name, gradient in wanted[1].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=1e-4, atol=1e-5, msg=name)
    # Names of parameters stay, so checkpoints do not know whether layers were compiled.
    assert compiled.state_dict().keys() == plain.state_dict().keys()
