"""A small corpus in which the speech follows from the text, and a recipe that trains on it in seconds."""

from __future__ import annotations

import pytest
import torch

from tests.train.toy_stage import make_corpus, make_recipe


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """Folders of a corpus, a tokenizer and a gold pack."""
    return make_corpus(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def recipe(toy):
    return make_recipe(toy)
