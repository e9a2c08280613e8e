"""The words of the English example, by kind: those of the content, that a speech recogniser knows well and that do not sound alike.

Few words, each heard often: what ten minutes of training on two cores can learn to say.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    """Alternatives separated by commas."""
    return tuple(word.strip() for word in text.replace("\n", " ").split(","))


WORDS: dict[str, tuple[str, ...]] = {
    symbol: _words(text)
    for symbol, text in {
        "name": "Anna, Peter, Maria, Robert, Emma",
        "relation": "mother, father, sister, brother",
        "job": "teacher, doctor, farmer",
        "people": "children, students",
        "animal": "dog, horse, elephant",
        "animals": "dogs, horses, elephants",
        "place": "school, market, station, library, hospital, river",
        "room": "kitchen, garden",
        "city": "London, Paris, Delhi",
        "food": "bread, chicken, chocolate",
        "foods": "apples, potatoes",
        "drink": "coffee, water",
        "document": "book, letter, story",
        "thing": "chair, table, blanket, picture, umbrella",
        "things": "chairs, pictures, flowers",
        "opening": "door, window",
        "vehicle": "train, bus",
        "size": "big, small",
        "look": "beautiful, old",
        "color": "green, blue, yellow, black",
        "mood": "happy, tired, angry, hungry",
        "kind": "young, friendly",
        "quality": "easy, difficult, wonderful",
        "subject": "history, music, science",
        "music": "the piano, the guitar",
        "sport": "football, tennis",
        "weekday": "Monday, Thursday, Saturday",
        "season": "summer, winter",
        "digit": "two, three, four, five, seven, ten",
        "hour": "two, three, four, five, seven, ten",
        "money": "dollars, rupees",
        "length": "miles, minutes",
        "span": "minutes, days, weeks",
        "manner": "slowly, quickly, together",
        "often": "always, never, sometimes",
        "weather": "rain, snow",
        "nature": "mountain, island",
        "near": "near, behind",
        "possessive": "my, your, our",
        "idea": "question, problem, lesson, party",
    }.items()
}
