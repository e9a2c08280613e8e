"""The words of the English example, by kind: about 400 that a speech recogniser knows well and that do not sound alike."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    """Alternatives separated by commas."""
    return tuple(word.strip() for word in text.replace("\n", " ").split(","))


WORDS: dict[str, tuple[str, ...]] = {
    symbol: _words(text)
    for symbol, text in {
        "name": """Anna, Peter, Maria, David, Sarah, Thomas, Lucy, Daniel, Emma, Jack, Alice, Robert, Rosa, Simon, Nina, Victor,
        Martin, Helen, Oscar, Julia""",
        "relation": "mother, father, sister, brother, uncle, grandmother, grandfather, daughter, cousin, neighbor, best friend",
        "job": """teacher, doctor, farmer, driver, baker, nurse, artist, lawyer, captain, soldier, student, engineer, writer,
        singer, painter, guard, manager, gardener, pilot, police officer""",
        "people": "children, students, workers, farmers, neighbors, visitors, players, doctors, soldiers, girls, boys, teachers",
        "animal": "dog, cat, horse, bird, cow, rabbit, monkey, elephant, lion, duck, goat, sheep, tiger, mouse",
        "animals": "dogs, cats, horses, birds, cows, rabbits, monkeys, elephants, ducks, goats",
        "place": """school, market, station, park, library, hospital, river, village, office, church, museum, beach, farm,
        bridge, hotel, airport, bakery, castle, forest, factory, theater, temple, bank, post office""",
        "room": "kitchen, garden, bedroom, living room, bathroom, hall, garage, classroom, basement, tower",
        "city": "London, Paris, Delhi, Berlin, Boston, Chicago, Rome, Madrid, Dublin, Toronto, Mumbai, New York",
        "country": "India, Canada, France, Spain, Italy, Japan, Mexico, Brazil, Germany, Egypt",
        "food": "bread, rice, soup, cheese, fish, chicken, salad, cake, butter, honey, fruit, chocolate, ice cream",
        "foods": "apples, oranges, potatoes, tomatoes, bananas, eggs, onions, carrots, cookies, lemons, grapes",
        "drink": "coffee, milk, water, orange juice, lemon tea, hot chocolate",
        "document": "book, letter, newspaper, story, report, message, poem, map, contract, magazine",
        "thing": """chair, table, lamp, box, coat, clock, picture, bottle, basket, blanket, mirror, hammer, knife, pencil,
        suitcase, guitar, camera, radio, ladder, umbrella, carpet, candle, telephone, bicycle""",
        "things": "chairs, shoes, boxes, pictures, flowers, plates, cups, keys, books, letters, blankets, tickets, gloves",
        "opening": "door, window, gate, box, drawer, letter, suitcase, bottle",
        "vehicle": "train, bus, car, boat, taxi, truck, ship, airplane",
        "size": "big, small, long, short, heavy, tiny, large, huge",
        "look": "beautiful, old, new, strange, simple, expensive, broken, modern, famous, empty, clean, dirty, lovely",
        "color": "green, blue, yellow, black, white, brown, gray, purple, orange, pink",
        "mood": "happy, sad, tired, angry, hungry, busy, ready, lucky, nervous, proud, quiet, afraid, sick, surprised",
        "kind": "young, old, tall, friendly, clever, honest, brave, funny, gentle, strong, careful, lonely, patient",
        "quality": "easy, difficult, important, interesting, dangerous, boring, useful, perfect, possible, wonderful, terrible",
        "subject": "history, music, science, art, mathematics, English, French, Spanish, geography",
        "music": "the piano, the guitar, the violin, the drums, the flute",
        "sport": "football, tennis, chess, cards, basketball, baseball",
        "weekday": "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
        "month": "January, February, March, April, May, June, July, August, September, October, November, December",
        "season": "spring, summer, autumn, winter",
        "digit": "two, three, four, five, six, seven, eight, nine, ten",
        "hour": "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve",
        "teen": "eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen",
        "tens": "twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety",
        "ordinal": "first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, twelfth, twentieth",
        "money": "dollars, pounds, rupees",
        "length": "miles, meters, minutes, hours, kilometers",
        "span": "minutes, hours, days, weeks, months, years",
        "manner": "slowly, quickly, quietly, carefully, happily, loudly, suddenly, gently, together, alone, again",
        "often": "always, never, often, usually, sometimes, rarely",
        "weather": "rain, snow, wind, storm, fog, thunder, sunshine",
        "nature": "mountain, lake, valley, island, ocean, field, desert, hill, waterfall, garden",
        "near": "near, behind, beside, in front of, next to, across from",
        "possessive": "my, your, our, his, her, their",
        "idea": "plan, question, answer, problem, idea, lesson, game, movie, song, picture, meeting, journey, party, work",
    }.items()
}
