"""English words that every Indian language takes up, and how Hindi writes them; other scripts follow letter for letter."""

from __future__ import annotations

from vaak.demo.texts.rich.script import ENDS_IN_VIRAMA, from_devanagari

# `·` stands where Hindi says no vowel, which other scripts write with a virama; `ॆ` is a short e, where a script has one.
# Things that one owns, breaks or orders.
_LOANS = (
    "phone=फ़ोन mobile=मोबाइल laptop=लैप·टॉप computer=कंप्यूटर printer=प्रिंटर charger=चार्जर ticket=टिकट "
    "passport=पास·पोर्ट report=रिपोर्ट project=प्रोजॆक्ट email=ईमेल message=मैसॆज internet=इंटर·नॆट "
    "video=वीडियो game=गेम radio=रेडियो bike=बाइक scooter=स्कूटर car=कार bag=बैग bottle=बोतल jacket=जैकॆट "
    "coffee=कॉफ़ी cake=केक chocolate=चॉक·लॆट notebook=नोट·बुक pen=पॆन calendar=कैलॆंडर battery=बैटरी "
    "cable=केबल screen=स्क्रीन keyboard=कीबोर्ड speaker=स्पीकर microphone=माइक्रोफ़ोन form=फ़ॉर्म budget=बजट order=ऑर्डर "
    "server=सर्वर remote=रिमोट cooler=कूलर heater=हीटर mixer=मिक्सर guitar=गिटार helmet=हॆल·मॆट tractor=ट्रैक्टर "
    "generator=जॆन·रेटर router=राउटर tablet=टैब·लॆट sensor=सॆंसर motor=मोटर pump=पंप signal=सिग्नल model=मॉडल poster=पोस्टर"
)

# Places that open and close.
_VENUES = (
    "office=ऑफ़िस bank=बैंक hotel=होटल market=मार्कॆट library=लाइब्रेरी college=कॉलॆज hospital=हॉस्पिटल school=स्कूल "
    "canteen=कैंटीन museum=म्यूज़ियम park=पार्क stadium=स्टेडियम airport=एयर·पोर्ट bakery=बेकरी restaurant=रॆस्टोरॆंट "
    "laboratory=लैबोरेटरी gallery=गैलरी clinic=क्लिनिक counter=काउंटर"
)


def _pairs(text: str) -> dict[str, str]:
    return {english: hindi for english, _, hindi in (pair.partition("=") for pair in text.split())}


LOANS = _pairs(_LOANS)
VENUES = _pairs(_VENUES)

# How the vowel of `bag` is written; Hindi writes its ai.
_BAG = {
    **dict.fromkeys(("te", "kn", "or"), "\u094dया"),
    **dict.fromkeys(("mr", "gu"), "ॅ"),
    **dict.fromkeys(("as", "ta"), "े"),
    **{"bn": "\u094d\u200bा", "ml": "ा"},
}
_SHORT_E = frozenset({"ta", "te", "kn", "ml"})


def loan_in(language: str, hindi: str) -> str:
    """A loan word of the tables above in the script of a language."""
    word = hindi.replace("·", "\u094d" if language in ENDS_IN_VIRAMA else "").replace("ै", _BAG.get(language, "ै"))
    if language not in _SHORT_E:
        word = word.replace("ॆ", "े").replace("जेन", "जन" if language == "hi" else "जेन")
    if language in ("te", "kn", "ml") and word.endswith("म"):
        word = word.removesuffix("म") + "ं"
    word = from_devanagari(word, language)
    if language == "ml":  # English t between or behind vowels
        word = word.replace("ന്ട", "ന്റ").replace("\u0d46ട\u0d4d", "\u0d46റ്റ\u0d4d")
    return word.replace("\u200b", "\u09af")  # the joined ya of Bengali takes no dot
