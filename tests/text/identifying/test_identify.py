"""What is kept, what is quarantined, and under which reason: documents written for these tests, one rule each."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.filter_documents import KEPT
from tests.text.identifying.latin_sentences import ENGLISH_WITH_NAMES, ROMANISED
from vaak.demo.texts.rich.store import store_of
from vaak.languages import LANGUAGES

pytest.importorskip("pycld2", reason="pycld2 is not installed: pip install 'vaak[text]'")
pytest.importorskip("py3langid", reason="py3langid is not installed: pip install 'vaak[text]'")

from vaak.text.identifying import identify as module
from vaak.text.identifying.classifiers import ask_cld2, ask_langid, plain_of, sample_of
from vaak.text.identifying.identify import identify

HINDI = "सरकार ने किसानों के लिए एक नई योजना की घोषणा की है और इसके लिए सभी ज़िलों में शिविर लगाए जाएंगे। "
TAMIL = "அரசு விவசாயிகளுக்கு ஒரு புதிய திட்டத்தை அறிவித்துள்ளது என்று அமைச்சர் கூறினார். "
ENGLISH = "The government has announced a new scheme for farmers and will hold camps in all districts. "
ROMAN = "Sarkar ne kisano ke liye ek nayi yojana ki ghoshna ki hai aur sabhi zilon mein shivir lagaye jayenge. "

# (document, language that the source says, reason, language found)
DOCUMENTS = {
    "English words in Hindi": (
        "मैंने कल Amazon से नया iPhone मंगाया, delivery तीन दिन में हो गई और customer care ने भी अच्छा जवाब दिया।", "hi", None, "hi"),
    "English words in Tamil": (
        "இந்த smartphone கேமரா நன்றாக இருக்கிறது ஆனால் battery விரைவில் தீர்ந்துவிடுகிறது என்று review கூறுகிறது.", "ta", None, "ta"),
    "half Hindi, half English": (HINDI + ENGLISH, "hi", "mixed script", None),
    "half English, half Hindi": (ENGLISH + HINDI, "en", "mixed script", None),
    "a Hindi quotation in English": (5 * ENGLISH + "They called it योजना in Hindi.", "en", None, "en"),
    "two Indic scripts": (HINDI + HINDI + TAMIL, "hi", "mixed script", None),
    "a Tamil name in Hindi": (4 * HINDI + "तमिल में इसे தமிழ் कहते हैं।", "hi", None, "hi"),
    "English in a Hindi source": (ENGLISH, "hi", "wrong language", "en"),
    "romanised Hindi in a Hindi source": (ROMAN, "hi", "romanised", "hi"),
    "romanised Hindi in an English source": (ROMAN, "en", "romanised", "hi"),
    "romanised Hindi with a Devanagari word": (ROMAN + "योजना", "hi", "romanised", "hi"),
    "Tamil in a Hindi source": (TAMIL, "hi", "wrong language", "ta"),
    "Marathi in a Hindi source": (
        "सरकारने शेतकऱ्यांसाठी नवीन योजना जाहीर केली असून सर्व जिल्ह्यांत शिबिरे घेतली जाणार आहेत.", "hi", "wrong language", "mr"),
    "Nepali in a Hindi source": (
        "सरकारले किसानहरूका लागि नयाँ योजना घोषणा गरेको छ र सबै जिल्लामा शिविर सञ्चालन गर्नेछ।", "hi", "wrong language", "ne"),
    "Sanskrit in a Hindi source": (
        "अस्ति कस्मिंश्चित् वने भासुरको नाम सिंहः। सः प्रतिदिनं बहून् पशून् हत्वा खादति स्म।", "hi", "wrong language", "sa"),
    "Konkani in a Marathi source": (
        "हांव काल सांजे बाजारांत गेल्लों आनी थंयसून नुस्तें हाडलां. तुमी केन्ना येतात तें म्हाका सांगात.", "mr", "wrong language", "gom"),
    "Maithili in a Hindi source": (
        "हमर गाम मिथिला मे अछि। ओतऽ सभ लोक मैथिली बजैत छथि आ पाबनि-तिहार मनबैत छथि।", "hi", "wrong language", "bh"),
    "Bhojpuri in a Hindi source": (
        "हमनी के गाँव में एगो पुरान पोखरा बा। ओकरा किनारे लइका लोग खेलत रहेला आ गीत गावत बा।", "hi", "wrong language", "bh"),
    "Assamese in a Bengali source": (
        "চৰকাৰে কৃষকৰ বাবে এখন নতুন আঁচনি ঘোষণা কৰিছে আৰু সকলো জিলাত শিবিৰ পতা হ'ব।", "bn", "wrong language", "as"),
    "Bengali in an Assamese source": (
        "সরকার কৃষকদের জন্য একটি নতুন প্রকল্প ঘোষণা করেছে এবং সব জেলায় শিবির হবে।", "as", "wrong language", "bn"),
    "Manipuri in a Bengali source": (
        "মণিপুরদা লৈবা মীয়াম্না ঙসি অমসুং হয়েং কুম্হৈ অসি পাংথোক্লি। মসি য়াম্না ফবা কুম্হৈ অমনি।", "bn", "wrong language", "mni"),
    "Urdu in a Hindi source": (
        "حکومت نے کسانوں کے لیے ایک نئی اسکیم کا اعلان کیا ہے اور تمام اضلاع میں کیمپ لگائے جائیں گے۔", "hi", "wrong language", "ur"),
    "German in an English source": (
        "Die Regierung hat ein neues Programm für Bauern angekündigt und wird in allen Bezirken beraten.", "en", "wrong language", "de"),
    "French in a Hindi source": (
        "Le gouvernement a annoncé un nouveau programme pour les agriculteurs dans tous les districts.", "hi", "wrong language", "fr"),
    "Indonesian in an English source": (
        "Pemerintah telah mengumumkan program baru untuk petani dan akan mengadakan pertemuan di semua kabupaten.",
        "en", "wrong language", "id"),
    "a song in Sanskrit words, by its Bengali source": (
        "বন্দে মাতরম্ গানটি বঙ্কিমচন্দ্র চট্টোপাধ্যায় লিখেছিলেন এবং পরে এটি আনন্দমঠ উপন্যাসে স্থান পায়।", "bn", None, "bn"),
    "digits alone": ("98765 43210, 12/05/2024", "hi", None, None),
    "Devanagari digits alone": ("९८७६५ ४३२१०, १२/०५/२०२४", "mr", None, "mr"),
    "nothing": ("", "en", None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(name):
    text, language, reason, found = DOCUMENTS[name]
    verdict = identify(text, language)
    assert (verdict.reason, verdict.language) == (reason, found), verdict.scores


@pytest.mark.parametrize("source", ["en", "own"])
@pytest.mark.parametrize("language", ROMANISED)
def test_romanised_sentences_are_caught(language, source):
    sentences = ROMANISED[language]
    verdicts = [identify(sentence, "en" if source == "en" else language) for sentence in sentences]
    assert [s for s, v in zip(sentences, verdicts, strict=True) if v.reason != "romanised"] == []
    assert sum(verdict.language == language for verdict in verdicts) / len(verdicts) > 0.6


@pytest.mark.parametrize("sentence", ENGLISH_WITH_NAMES)
def test_english_with_indian_names_stays(sentence):
    verdict = identify(sentence, "en")
    assert (verdict.reason, verdict.language) == (None, "en"), verdict.scores


def rich_sentences(language: str, n: int) -> list[str]:
    sentences = [sentence for sentence in store_of(language).sentences if len(sentence.split()) >= 5]
    return random.Random(7).sample(sentences, min(n, len(sentences)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_of_the_example_are_what_they_are(language):
    sentences = rich_sentences(language, 300)
    found = [identify(sentence, language).reason is None for sentence in sentences]
    assert sum(found) / len(found) >= 0.98


@pytest.mark.parametrize(("language", "says"), [("hi", "mr"), ("mr", "hi"), ("bn", "as"), ("as", "bn"), ("en", "ta")])
def test_sentences_of_the_example_are_found_under_another_name(language, says):
    sentences = rich_sentences(language, 300)
    found = [identify(sentence, says).language == language for sentence in sentences]
    assert sum(found) / len(found) >= 0.98


@pytest.mark.parametrize("script", ["Devanagari", "Bengali"])
def test_leaving_langid_out_changes_no_language(script, monkeypatch):
    """The plain reference asks it each time."""
    sources = [language.code for language in LANGUAGES.values() if language.script == script]
    texts = [text for language in sources for text in rich_sentences(language, 150)]
    texts += [text for text, *_ in DOCUMENTS.values() if f"script {script}" in identify(text, "en").scores]
    fast = {(text, source): identify(text, source) for text in texts for source in sources}
    skipped = sum("langid" not in verdict.scores for verdict in fast.values())
    assert skipped > len(fast) / 4  # otherwise this test shows nothing
    monkeypatch.setattr(module, "_is_decided", lambda votes, cld2: False)
    for (text, source), verdict in fast.items():
        plain = identify(text, source)
        assert (plain.reason, plain.language) == (verdict.reason, verdict.language), text


def test_english_that_needs_no_classifier_is_what_they_would_make_of_it():
    """A source of another language has them asked each time; what is found does not depend on the source."""
    texts = [*rich_sentences("en", 150), *ENGLISH_WITH_NAMES, *(text for texts in ROMANISED.values() for text in texts)]
    verdicts = [(identify(text, "en"), identify(text, "ta")) for text in texts]
    assert sum("cld2" not in own.scores for own, _ in verdicts) > 50  # otherwise this test shows nothing
    for text, (own, other) in zip(texts, verdicts, strict=True):
        assert own.language == other.language and "cld2" in other.scores, text
        assert own.reason == (None if (other.reason, other.language) == ("wrong language", "en") else other.reason), (
            text
        )


@pytest.mark.parametrize("language", ["ta", "te", "gu", "kn", "ml", "pa", "or"])
def test_where_a_script_has_one_language_both_classifiers_only_repeat_it(language):
    for sentence in rich_sentences(language, 100):
        sample = plain_of(sentence, LANGUAGES[language].script)
        assert ask_cld2(sample).language == language
        assert next(iter(ask_langid(sample, "all"))) == language


def test_a_sample_has_words_of_beginning_middle_and_end():
    text = " ".join(f"w{number}" for number in range(3000))
    sample = sample_of(text, 300)
    assert len(sample) <= 302
    assert sample.startswith("w0 ") and sample.endswith(" w2999") and " w15" in sample
    assert set(sample.split()) <= set(text.split())  # no word is cut
    assert sample_of("a short text", 300) == "a short text"
    assert len(sample_of(1000 * "x", 300)) == 302  # text without spaces is cut anywhere


ANY = st.text(
    st.one_of(
        st.characters(), st.characters(max_codepoint=0x1F), st.characters(min_codepoint=0x0900, max_codepoint=0x0D7F)
    ),
    max_size=100,
)


@given(ANY, st.sampled_from(list(LANGUAGES)))
def test_no_string_raises(text, language):
    verdict = identify(text, language)
    assert verdict.reason in (None, "wrong language", "mixed script", "romanised")
    assert all(isinstance(score, (float, str)) for score in verdict.scores.values())


@pytest.mark.parametrize(
    "piece", ["a", " ", "क", "ক ", "\0", "\ud800", "\uffff", "<", "्", "aa ", "é", "語", "\U0001f600"]
)
def test_a_megabyte_of_anything_gives_a_verdict(piece):
    identify(piece * (1_000_000 // len(piece)), "hi")


@pytest.mark.parametrize("name", KEPT)
def test_poems_lists_recipes_and_short_documents_are_what_they_are(name):
    language = name.rpartition(", ")[2]
    verdict = identify(KEPT[name], language)
    assert (verdict.reason, verdict.language) == (None, language), verdict.scores
