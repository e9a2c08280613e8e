"""The English grammar of the example: rules of a small context-free grammar over some 220 common words.

`RULES` maps a symbol to its alternatives; `{symbol}` inside an alternative expands further, and `{do:past}` picks one
of `VERB_PHRASES` in that form. An alternative that ends in `*3` counts three times. Words are chosen so that a speech
recogniser knows them well and so that no two of them sound alike.
"""

from __future__ import annotations

from vaak.demo.texts.english_words import WORDS


def _lines(text: str) -> tuple[str, ...]:
    """One alternative per line."""
    out: list[str] = []
    for line in (line.strip() for line in text.strip().splitlines()):
        body, star, times = line.rpartition("*")
        out += [body.strip()] * int(times) if star and times.isdigit() else [line]
    return tuple(out)


_GRAMMAR = {
    "number": "{digit} *3\none hundred\ntwenty",
    "clock": "{hour} o'clock *4\nhalf past {hour}",
    "adjective": "{size}\n{look} *2\n{color} *2",
    "someone": """
        {name} *4
        {possessive} {relation} *4
        the {job} *2
        the {kind} {job}""",
    "who": """
        {someone} *7
        the {job} from {city}""",
    "group": """
        the {people} *2
        {name} and {name} *2
        my {relation} and I""",
    "something": """
        the {thing}
        a {adj_con} {thing} *2
        the {adjective} {thing} *2
        {possessive} {thing}
        {digit} {things} *2
        the {things}
        {possessive} {adjective} {things}""",
    "adj_con": "big\nsmall\nbeautiful\ngreen\nblue\nyellow\nblack",
    "to_eat": "{food} *2\nsome {food}\n{food} and {food}\n{digit} {foods}\n{foods} and {foods}",
    "to_drink": "{drink}\nsome {drink}\na cup of {drink}",
    "to_read": "the {document} *2\na {document}\n{possessive} {document}\na {document} about {topic}",
    "topic": "{subject}\nthe {nature}\n{animals}\n{city}\nthe {people}",
    "where": """
        in the {room} *2
        at the {place} *2
        in {city} *2
        {near} the {place} *2
        {near} the {thing}
        on the {nature}
        at home""",
    "to_where": """
        to the {place} *3
        to {city} *2
        to the {nature}
        home""",
    "when_past": """
        yesterday *2
        this morning *2
        last {weekday}
        last {season}
        {digit} {span} ago *2
        at {clock}""",
    "when_future": """
        tomorrow *2
        tonight
        next {weekday} *2
        next {season}
        in {digit} {span} *2
        at {clock} *2
        after the {weather}""",
    "when_habit": """
        every day *2
        every morning *2
        every {weekday}
        in {season}
        at {clock}""",
    "because": """
        because {he} was {mood} *3
        because of the {weather} *2
        when the {weather} came
        and then {he} went home""",
    "he": "he\nshe",
    "fact": """
        the {place} is {near} the {place}
        the {vehicle} leaves at {clock}
        {someone} is {mood}
        {someone} lives {where}
        the {idea} was {quality}
        {someone} {do:past}
        the {thing} is {color}""",
}

# Sentence frames; two kinds that differ in their last sign.
_STATEMENTS = """
    {who} {do:past} *3
    {who} {do:past} {when_past} *4
    {who} {do:past} {because} *3
    {who} {do:past} {where} *3
    {when_past}, {who} {do:past}
    {who} {often} {do:past} *2
    {group} {do:past} {when_past} *2
    {group} {do:past} {where}
    {who} will {do:base} {when_future} *3
    {group} will {do:base} {when_future}
    I want to {do:base} {when_future} *2
    I have to {do:base} before {clock}
    {someone} told me that {fact} *3
    I think that {fact} *3
    {who} asked me to {do:base} *2
    please {do:base} *2
    let us {do:base} {when_future}
    it is {quality} to {do:base} *2
    it was {quality} to {do:base} {where}
    there is {a_thing} {where} *2
    there are {digit} {things} {where} *2
    there are {digit} {animals} {near} the {place}
    the {thing} {where} is {color} *2
    the {adjective} {thing} is {near} the {adjective} {thing} *2
    the {adjective} {thing} is for {someone}
    the {thing} costs {number} {money} *3
    the {vehicle} to {city} leaves at {clock} *2
    the {vehicle} from {city} leaves {when_future}
    the {idea} is on {weekday} at {clock} *2
    the {idea} was {quality} and {quality}
    {someone} is {number} years old *2
    the {place} is {number} {length} from here *2
    the {place} {near} the {nature} is {look}
    the {weather} was very strong {when_past}
    there will be {weather} in {city} {when_future} *2
    in {season} the {nature} is {color} and {look}
    {someone} lives {where} with {digit} {animals}
    {someone} has {digit} {animals} and a {adj_con} {animal}
    the {size} {animal} walked {manner} to the {nature} *2
    the {animals} are {mood}
    {someone} is a {kind} {job} *2
    {someone} was {mood} {because} *2
    {group} were {mood} {when_past}
    {subject} is more {quality} than {subject}
    the {job} {near} the {place} is very {kind}
    the {document} about {topic} is very {quality}
    {someone} has {food}, but {someone} has {food}
"""

_QUESTIONS = """
    did {who} {do:base} {when_past} *3
    will {who} {do:base} {when_future} *3
    can you {do:base} {when_future} *3
    where is the {adjective} {thing} *2
    where is the {place} in {city}
    how many {things} are there {where} *2
    how old is {someone}
    why is {someone} so {mood} *2
    are there {digit} {animals} {where}
    is the {place} near the {place}
    is {someone} {where}
    is it {quality} to {do:base}
"""

_SMALL = {
    "a_thing": "a {adj_con} {thing} *2\na {adj_con} {animal}\na {thing} and a {thing}",
}

# Verbs that also stand in the third person and in -ing; the others keep to base and past, so that fewer words are rare.
FULL_VERBS = frozenset(["read", "eat", "drink", "walk", "wait", "work", "help", "play"])

# base, third person, past, -ing | what follows
VERB_PHRASES: tuple[tuple[tuple[str, str, str, str], str], ...] = tuple(
    ((forms[0], forms[1], forms[2], forms[3]), tail.strip())
    for forms, tail in (
        (head.split(), tail)
        for head, _, tail in (
            line.partition("|")
            for line in _lines("""
    open opens opened opening | the {opening} *2
    buy buys bought buying | {something} *3
    find finds found finding | {something} {where} *2
    bring brings brought bringing | {something} {to_where} *2
    paint paints painted painting | the {room} {color}
    paint paints painted painting | {something}
    read reads read reading | {to_read} *3
    eat eats ate eating | {to_eat} *4
    drink drinks drank drinking | {to_drink} *4
    walk walks walked walking | {to_where} *3
    walk walks walked walking | {to_where} with {someone}
    go goes went going | {to_where} by {vehicle} *3
    wait waits waited waiting | {where} for {someone} *2
    wait waits waited waiting | for the {vehicle}
    work works worked working | {where} *2
    visit visits visited visiting | {someone} *3
    play plays played playing | {music} *2
    play plays played playing | {sport} with {someone} *2
    talk talks talked talking | about {topic} *2
    talk talks talked talking | to {someone} about the {idea}
""")
        )
    )
)

RULES: dict[str, tuple[str, ...]] = (
    WORDS
    | {symbol: _lines(text) for symbol, text in (_GRAMMAR | _SMALL).items()}
    | {"statement": _lines(_STATEMENTS), "question_sentence": _lines(_QUESTIONS)}
)
