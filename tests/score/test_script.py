"""What is in the right script, and what says nothing about it."""

import math

import pytest

from vaak.errors import BadInput
from vaak.languages import LANGUAGES
from vaak.score.script import script_share


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_in_its_own_script(language):
    assert script_share(LANGUAGES[language].native_name, language) == 1.0
    other = "नमस्ते" if LANGUAGES[language].script == "Latin" else "hello"
    assert script_share(other, language) == 0.0


def test_shares_are_of_letters_and_signs():
    assert script_share("कa", "hi") == 0.5
    assert script_share("की ab", "hi") == 0.5  # a letter and a sign, two letters
    assert script_share("دن", "hi") == 0.0 and script_share("दिन 日", "hi") == 0.75
    assert script_share("বাংলা", "as") == 1.0 and script_share("বাংলা", "or") == 0.0


@pytest.mark.parametrize("text", ["", " ", "25", "२५", "।", "?!…", "\u200d\u200c", "5 %", "\u0301"])
def test_without_letters_there_is_no_share(text):
    assert math.isnan(script_share(text, "hi"))


def test_what_scripts_share_does_not_count():
    assert script_share("दिन, 25% (२५) \u200dदीन॥ \U0001f600", "hi") == 1.0
    assert script_share("café naïve", "en") == 1.0
    assert script_share("cafe\u0301", "en") == 1.0


def test_an_unknown_language_is_refused():
    with pytest.raises(BadInput, match="unknown"):
        script_share("x", "tlh")
