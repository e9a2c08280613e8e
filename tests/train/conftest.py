"""A small corpus in which the speech follows from the text, and a recipe that trains on it in seconds."""

from __future__ import annotations

import pytest
import torch

from tests.train.toy_stage import make_corpus, make_recipe, saves_waited_for
from vaak.mixture import open_loader
from vaak.recipe import plan_recipe
from vaak.train.stage import open_data


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def every_save():
    with saves_waited_for():
        yield


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """Folders of a corpus, a tokenizer and a gold pack."""
    return make_corpus(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def recipe(toy):
    return make_recipe(toy)


@pytest.fixture(scope="session")
def served(toy, tmp_path_factory):
    """The data of the toy recipe, and `batches(microbatch, start=0)`: its first eight rows from row `start`."""
    recipe = make_recipe(toy)
    data = open_data(recipe)
    plan = plan_recipe(
        recipe, data.corpora, tokenizer=data.tokenizer, vocabulary=data.vocabulary,
        cache_folder=tmp_path_factory.mktemp("cache"), excluded_ids=(),
    )  # fmt: skip

    def batches(microbatch, start=0):
        loader = open_loader(
            plan, data.corpora, data.vocabulary, data.tokenizer, microbatch_rows=microbatch, start_row=start
        )
        return [next(loader) for _ in range(8 // microbatch)]

    return data, batches
