"""The words of the English example, by kind: some 190 that a speech recogniser knows well and that do not sound alike.

Few words, each heard often: what ten minutes of training on two cores can learn to say.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    """Alternatives separated by commas."""
    return tuple(word.strip() for word in text.replace("\n", " ").split(","))


WORDS: dict[str, tuple[str, ...]] = {
    symbol: _words(text)
    for symbol, text in {
        "name": "Anna, Peter, Maria, David, Lucy, Jack, Robert, Emma",
        "relation": "mother, father, sister, brother, daughter, best friend",
        "job": "teacher, doctor, farmer, driver, captain, student, police officer",
        "people": "children, students, farmers, visitors, teachers",
        "animal": "dog, cat, horse, bird, rabbit, elephant",
        "animals": "dogs, cats, horses, birds, elephants",
        "place": "school, market, station, library, hospital, river, village, office, hotel, castle",
        "room": "kitchen, garden, bedroom, living room",
        "city": "London, Paris, Delhi, Boston, Chicago",
        "country": "India, Canada, Japan, Mexico",
        "food": "bread, rice, chicken, salad, chocolate",
        "foods": "apples, potatoes, bananas, cookies",
        "drink": "coffee, milk, water, orange juice",
        "document": "book, letter, story, message",
        "thing": "chair, table, blanket, box, clock, picture, bottle, basket, camera, umbrella",
        "things": "chairs, boxes, pictures, flowers, books, tickets",
        "opening": "door, window, box, bottle",
        "vehicle": "train, bus, airplane, boat",
        "size": "big, small, heavy, long",
        "look": "beautiful, old, new, strange, expensive, empty",
        "color": "green, blue, yellow, black, white, orange",
        "mood": "happy, tired, angry, hungry, busy, ready, surprised",
        "kind": "young, old, friendly, clever, strong",
        "quality": "easy, difficult, important, dangerous, wonderful",
        "subject": "history, music, science, English",
        "music": "the piano, the guitar, the violin",
        "sport": "football, tennis, basketball",
        "weekday": "Monday, Thursday, Saturday, Sunday",
        "month": "January, April, August, October, December",
        "season": "summer, winter",
        "digit": "two, three, four, five, six, seven, eight, ten",
        "hour": "one, two, three, four, five, six, seven, eight, ten, eleven",
        "teen": "eleven, twelve, fifteen",
        "tens": "twenty, fifty, seventy",
        "ordinal": "first, second, third",
        "money": "dollars, rupees",
        "length": "miles, minutes, kilometers",
        "span": "minutes, days, weeks, years",
        "manner": "slowly, quickly, quietly, together, again",
        "often": "always, never, often, sometimes",
        "weather": "rain, snow, wind",
        "nature": "mountain, island, ocean, field",
        "near": "near, behind, beside",
        "possessive": "my, your, our, her",
        "idea": "plan, question, problem, lesson, movie, party, meeting",
    }.items()
}
