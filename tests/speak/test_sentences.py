"""Sentences in the twelve languages, what does not end one, and chunks of a bounded length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.languages import LANGUAGES
from vaak.speak.sentences import LONGEST, chunks_of, sentences

# Two sentences each; the first holds what looks like an end and is none.
PAIRS = {
    "en": ("Dr. J. K. Rao paid Rs. 500, i.e. 3.5% more.", "Did he?"),
    "hi": ("डॉ. के. आर. नारायणन ने रु. 500 दिए।", "वह कौन है?"),
    "bn": ("ড. মুহম্মদ শহীদুল্লাহ ৩.৫ টাকা দিলেন।", "সে কে?"),
    "ta": ("திரு. மு. கருணாநிதி வந்தார்.", "அவர் யார்?"),
    "te": ("డా. ఎస్. రాధాకృష్ణన్ రూ. 500 ఇచ్చారు.", "ఎవరు?"),
    "mr": ("लेखक पु. ल. देशपांडे आले.", "ते कोण आहेत?"),
    "gu": ("ડૉ. એમ. કે. ગાંધી આવ્યા છે.", "તે કોણ છે?"),
    "kn": ("ಡಾ. ದ. ರಾ. ಬೇಂದ್ರೆ ಬಂದರು.", "ಅವರು ಯಾರು?"),
    "ml": ("ഡോ. എം. ടി. വാസുദേവൻ വന്നു.", "ആരാണ്?"),
    "pa": ("ਡਾ. ਐਮ. ਐਸ. ਰੰਧਾਵਾ ਆਏ।", "ਉਹ ਕੌਣ ਹੈ?"),
    "or": ("ଡା. ଏମ. ଏସ. ପାତ୍ର ଆସିଲେ।", "ସେ କିଏ?"),
    "as": ("ড. ভূপেন হাজৰিকা আহিল।", "তেওঁ কোন?"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_two_sentences_are_two_in_every_language(language):
    first, second = PAIRS[language]
    assert sentences(f"{first} {second}") == [first, second]
    assert sentences(f"{second} {first}") == [second, first]


@pytest.mark.parametrize(
    "text,parts",
    [
        ("वह गया।मैं आया॥फिर वे गए।", ["वह गया।", "मैं आया॥", "फिर वे गए।"]),  # dandas need no space
        ("यह सही है. वे आए.", ["यह सही है.", "वे आए."]),  # one syllable is no initial at the end
        ("அவர் போ. பிறகு வா.", ["அவர் போ.", "பிறகு வா."]),
        ("He said… nothing… Then he left... He did.", ["He said… nothing…", "Then he left...", "He did."]),
        ("“Stop!” he cried. (Yes.) No?! No.", ["“Stop!” he cried.", "(Yes.)", "No?!", "No."]),
        ("So do I. At 5 p.m. He left the U.S. Army.", ["So do I.", "At 5 p.m.", "He left the U.S. Army."]),
        ("1. Bread. 2. Milk, since 2024. Water.", ["1. Bread.", "2. Milk, since 2024.", "Water."]),
        ("all is small. so what? yes.", ["all is small.", "so what?", "yes."]),
        ("A heading\n\nIts first\nsentence.", ["A heading", "Its first sentence."]),
        ("see example.com/a?b=c or v1.2", ["see example.com/a?b=c or v1.2"]),
        ("So '. 5 is .a. B, a..b. C", ["So '.", "5 is .a.", "B, a..b.", "C"]),  # full stops after no word
        (" \n\n ", []),
    ],
)
def test_what_ends_a_sentence_and_what_does_not(text, parts):
    assert sentences(text) == parts


def test_whole_sentences_fill_a_chunk():
    assert chunks_of("One two. Three four. Five six. Seven.", 20) == ["One two. Three four.", "Five six. Seven."]
    assert chunks_of("Hello.") == ["Hello."] and chunks_of("") == []


def test_a_long_sentence_is_cut_at_a_comma_near_its_middle_else_at_a_space():
    long = "No, " + "a" * 20 + ", " + "b" * 20 + " " + "b" * 4 + ", c."
    assert chunks_of(long, 40) == ["No, " + "a" * 20 + ",", "b" * 20 + " " + "b" * 4 + ", c."]
    assert chunks_of("word " * 9, 20) == ["word word word"] * 3  # and no rest of one word
    assert chunks_of("1,000,000 birds", 10) == ["1,000,000", "birds"]


def test_a_word_without_an_end_is_cut_between_letters_and_their_signs():
    parts = chunks_of("कि" * 15 + "क्षि" * 15, 15)
    assert "".join(parts) == "कि" * 15 + "क्षि" * 15
    assert all(part.startswith("क") and len(part) <= 15 for part in parts)


@given(st.text(st.sampled_from("abZ .,।॥?!…\n\"'कि्ष5—"), max_size=300), st.integers(3, LONGEST))
def test_no_word_is_lost_and_no_chunk_is_too_long(text, longest):
    chunks = chunks_of(text, longest)
    assert "".join("".join(chunks).split()) == "".join(text.split())
    assert all(chunk.strip() == chunk and 0 < len(chunk) <= longest for chunk in chunks)
