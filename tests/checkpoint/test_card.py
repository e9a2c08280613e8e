"""A model card says what the run's own files say, the same each time, and nothing of the machine it was written on."""

import re
import shutil

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.train.toy_stage import make_corpus, make_recipe
from vaak.checkpoint import export_model, find_checkpoint, load_state
from vaak.checkpoint.card import FILL_IN, model_card
from vaak.checkpoint.folder import Checkpoint
from vaak.mixture import RealisedMass, load_plan
from vaak.track import read_jsonl
from vaak.train.loop import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A real run of eight steps, with a checkpoint at five."""
    folder = tmp_path_factory.mktemp("card")
    recipe = make_recipe(make_corpus(folder), length={"steps": 8}, name="toy-stage")
    train(recipe, folder / "my-run", say=lambda _: None)
    return folder / "my-run"


@pytest.fixture(scope="module")
def card(run):
    return model_card(find_checkpoint(run), 12_345, "| panel | score |\n| --- | --- |\n| en | 4.1 |")


def table(card, title):
    """The rows of the first table below a heading."""
    section = card.split(f"## {title}\n", 1)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_front_matter_is_what_the_hub_reads(card):
    fields = ModelCard(card).data.to_dict()
    assert fields["language"] == ["en", "hi"] and fields["license"] == "unknown"
    assert (fields["library_name"], fields["pipeline_tag"]) == ("transformers", "text-to-speech")
    assert "base_model" not in fields and FILL_IN in card.split("---")[1]


def test_the_mixture_is_that_of_the_plan_and_of_what_was_served(run, card):
    checkpoint = find_checkpoint(run)
    plan, mass = load_plan(checkpoint.path), RealisedMass.from_state(load_state(checkpoint.path)["mass"])
    rows = table(card, "Data mixture")
    assert [row[:2] for row in rows] == [[s, x] for s in ("paired", "raw audio", "text") for x in ("en", "hi")]
    assert sum(int(row[4].replace(",", "")) for row in rows) == sum(mass.targets.values())
    wanted, realised = ([float(row[k].rstrip("%")) for row in rows] for k in (2, 3))
    assert sum(wanted) == pytest.approx(100, abs=0.05) and sum(realised) == pytest.approx(100, abs=0.05)
    assert wanted[0] + wanted[1] == pytest.approx(100 * plan.shares("stream")["paired"][0], abs=0.02)
    assert realised[0] + realised[1] == pytest.approx(100 * mass.shares("stream")["paired"], abs=0.02)


def test_training_and_metrics_are_those_of_the_step(run, card):
    state, last = load_state(find_checkpoint(run).path), find_checkpoint(run)
    facts = {}
    for name, value in table(card, "Training"):
        facts.setdefault(name, value)
    assert facts["steps"] == "8 of 8" and facts["learning rate, peak to minimum"] == "0.01 to 0.001"
    assert (facts["tokens per step"], facts["precision"], facts["optimizer"]) == ("1,024", "fp32", "adamw")
    assert facts["plan"] == f"`{state['plan']}`" and facts["checkpoint"] == f"`{last.id}`"
    assert facts["corpus"] == f"`{state['corpora'][0]}`"
    rows = {row["step"]: row for row in read_jsonl(run / "metrics.jsonl") if "loss" in row}
    losses = dict(table(card, "Metrics"))
    assert losses["`loss`"] == f"{rows[8]['loss']:.4f}" and "`loss/language/hi`" in losses
    assert "Validation, at step 8" in card and "`val/stream/paired`" in card
    # An earlier checkpoint knows nothing of what came later.
    earlier = model_card(find_checkpoint(run / "checkpoints" / "step-00000005"), 12_345)
    assert "Training, at step 5" in earlier and "Validation" not in earlier and "5 of 8" in earlier
    assert "## Evaluation" not in earlier and "| en | 4.1 |" in card


def test_the_text_is_the_same_each_time_and_names_no_folder(run, card, tmp_path):
    again = model_card(find_checkpoint(run), 12_345, "| panel | score |\n| --- | --- |\n| en | 4.1 |")
    assert card == again and str(run.parent) not in card
    assert not re.search(r"(?<![\w<*])/(?:home|root|tmp|work|var|mnt|data)/", card)
    # One that was carried elsewhere has no metrics.
    shutil.copytree(find_checkpoint(run).path, tmp_path / "step-00000008")
    assert "## Metrics" not in model_card(find_checkpoint(tmp_path / "step-00000008"), 12_345)


@pytest.mark.parametrize(
    ("given", "shown", "base"),
    [
        ({"model": {"path": "Qwen/Qwen3-1.7B-Base"}}, "It began as `Qwen/Qwen3-1.7B-Base`", "Qwen/Qwen3-1.7B-Base"),
        ({"model": {"path": "/srv/asha/secret-place/qwen"}}, "It began as `qwen`", None),
        ({"model": {"path": "~/models/qwen"}}, "It began as `qwen`", None),
        ({"parent": "/srv/asha/secret-place/pt-s2"}, "It continues the training of `pt-s2`", None),
    ],
)
def test_models_that_it_came_from_are_named_without_their_folders(tmp_path, run, given, shown, base):
    folder = shutil.copytree(find_checkpoint(run).path, tmp_path / "step-00000008")
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**recipe, **given, "codec": "/srv/asha/secret-place/codec"}))
    card = model_card(Checkpoint(folder, 8, "my-run/8/abc", True, True), 12_345)
    assert shown in card and "asha" not in card and "secret-place" not in card and "~" not in card
    assert ModelCard(card).data.to_dict().get("base_model") == base


def test_an_export_carries_its_card(run, tmp_path):
    out = export_model(run, tmp_path / "out", notes="It speaks.")
    text = (out / "README.md").read_text()
    assert "## Evaluation\n\nIt speaks.\n" in text and f"`{find_checkpoint(run).id}`" in text
