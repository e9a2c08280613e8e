"""The English grammar of the example: rules of a small context-free grammar over about 300 common words.

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
    "number": """
        {digit} *3
        {teen}
        {tens} *2
        one hundred""",
    "clock": """
        {hour} o'clock *3
        half past {hour}""",
    "date": "the {ordinal} of {month}",
    "adjective": "{size}\n{look} *2\n{color} *2",
    "someone": """
        {name} *4
        {possessive} {relation} *4
        the {job} *2
        the {kind} {job}
        the {kind} {man}""",
    "man": "man\nwoman\nboy\ngirl",
    "who": """
        {someone} *7
        the {man} with the {adjective} {thing}
        the {job} from {city}""",
    "group": """
        the {people} *2
        {name} and {name} *2
        {number_many} {people}
        my {relation} and I""",
    "something": """
        the {thing}
        a {adj_con} {thing} *2
        the {adjective} {thing} *2
        {possessive} {thing}
        {number_many} {things} *2
        the {things}
        {possessive} {adjective} {things}""",
    "adj_con": "big\nsmall\nlong\nheavy\nbeautiful\nnew\nstrange\ngreen\nblue\nyellow\nblack\nwhite",
    "number_many": "{digit} *4\n{teen}\n{tens}",
    "to_eat": "{food} *2\nsome {food}\n{food} and {food}\n{number_many} {foods}\n{foods} and {foods}",
    "to_drink": "{drink}\nsome {drink}\na cup of {drink}\na bottle of {drink}",
    "to_read": "the {document} *2\na {document}\n{possessive} {document}\na {document} about {topic}",
    "topic": "{subject}\nthe {nature}\n{animals}\n{country}\nthe {people}",
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
        to {country}
        to the {nature}
        home""",
    "when_past": """
        yesterday *2
        last night
        this morning *2
        last {weekday}
        last {season}
        {digit} {span} ago *2
        in {month}
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
        because the {place} was closed
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
    "condition": """
        if you have time
        if the {place} is open
        if {someone} is {mood}
        when the {vehicle} arrives""",
}

# Sentence frames; two kinds that differ in their last sign.
_STATEMENTS = """
    {who} {do:past} *3
    {who} {do:past} {when_past} *4
    {who} {do:past} {because} *3
    {who} {do:past} {where} *3
    {when_past}, {who} {do:past}
    {who} {often} {do:s} *2
    {who} {do:s} {when_habit} *2
    {group} {do:past} {when_past} *2
    {group} {do:past} {where}
    {who} will {do:base} {when_future} *3
    {group} will {do:base} {when_future}
    I want to {do:base} {when_future} *2
    I would like to {do:base} *2
    I have to {do:base} before {clock}
    {who} wants to {do:base} with {someone}
    {who} is going to {do:base} {when_future}
    {who} was {do:ing} when {someone} came
    {who} is {do:ing} {where} *2
    {who} was {do:ing} {manner} *2
    {someone} told me that {fact} *2
    I think that {fact} *2
    {someone} says that {fact}
    I hope that {fact}
    {who} asked me to {do:base} *2
    {who} helped {someone} to {do:base}
    {condition}, we can {do:base} *2
    {condition}, {someone} will {do:base} *2
    you should {do:base} {condition}
    please {do:base} *2
    please do not {do:base} {when_future}
    let us {do:base} {when_future}
    it is {quality} to {do:base} *2
    it was {quality} to {do:base} {where}
    there is {a_thing} {where} *2
    there are {number_many} {things} {where} *2
    there were {number_many} {animals} {near} the {place}
    the {thing} {where} is {color} *2
    the {adjective} {thing} is {near} the {adjective} {thing} *2
    the {adjective} {thing} is for {someone}
    the {thing} costs {number} {money} *2
    the {vehicle} to {city} leaves at {clock} *2
    the {vehicle} from {city} arrives {when_future}
    the {idea} is on {weekday} at {clock} *2
    the {idea} was {quality} and {quality}
    the {ordinal} {idea} was {quality}, but the {ordinal} was {quality}
    {possessive} birthday is on {date}
    {someone} was born in {city} on {date}
    {someone} is {number} years old *2
    the {place} is {number} {length} from here *2
    the {place} {near} the {nature} is {look}
    the {place} opens at {clock} and closes at {clock}
    today is {weekday}, {date}
    the {weather} was very strong {when_past}
    there will be {weather} in {city} {when_future} *2
    in {season} the {nature} is {color} and {look}
    {someone} lives {where} with {number_many} {animals}
    {someone} has {number_many} {animals} and a {adj_con} {animal}
    the {size} {animal} walked {manner} to the {nature} *2
    the {animals} are {mood} {condition}
    {someone} is a {kind_con} {job} *2
    {someone} was {mood} {because} *2
    {group} were {mood} {when_past}
    {someone} plays {music} and {someone} plays {music}
    {group} played {sport} {where} *2
    {possessive} {relation} teaches {subject} at the {place} *2
    {subject} is more {quality} than {subject}
    nobody could find the {adjective} {thing}
    the {job} {near} the {place} is very {kind}
    the {document} about {topic} is very {quality}
    first we {do:past}, and then we {do:past}
    {someone} likes {to_eat}, but {someone} likes {to_eat}
    {someone} came {to_where} by {vehicle} *2
    {someone} stayed {where} for {digit} {span}
"""

_QUESTIONS = """
    did {who} {do:base} {when_past} *3
    will {who} {do:base} {when_future} *2
    can you {do:base} {when_future} *2
    do you want to {do:base} {when_future} *2
    does {someone} {often_q} {do:base}
    have you seen {possessive} {adjective} {thing} *2
    where is the {adjective} {thing} *2
    where is the {place} in {city}
    where can I buy {to_eat}
    when does the {vehicle} to {city} arrive
    when will {someone} come {to_where}
    what did {someone} say about the {idea}
    how many {things} are there {where} *2
    how much does the {adjective} {thing} cost
    how far is the {place} from the {place}
    how old is {someone}
    why is {someone} so {mood} *2
    why did {someone} go {to_where} {when_past}
    who gave you the {adjective} {thing}
    who is the {kind} {job} {near} the {place}
    is the {place} open on {weekday}
    is {someone} still {where}
    are there {number_many} {animals} {where}
    would you like {to_drink} or {to_drink} *2
    is it {quality} to {do:base}
"""

_SMALL = {
    "a_thing": "a {adj_con} {thing} *2\na {adj_con} {animal}\na {thing} and a {thing}",
    "kind_con": "young\nfriendly\nclever\nstrong",
    "often_q": "often\nalways\nsometimes",
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
    close closes closed closing | the {opening}
    buy buys bought buying | {something} *2
    buy buys bought buying | {to_eat} at the {place}
    find finds found finding | {something} {where} *2
    bring brings brought bringing | {something} {to_where} *2
    paint paints painted painting | the {room} {color}
    paint paints painted painting | {something}
    give gives gave giving | {someone} {something} *2
    read reads read reading | {to_read} *3
    eat eats ate eating | {to_eat} *4
    cook cooks cooked cooking | {to_eat} *2
    drink drinks drank drinking | {to_drink} *4
    walk walks walked walking | {to_where} *3
    walk walks walked walking | {to_where} with {someone}
    travel travels traveled traveling | {to_where} by {vehicle} *2
    go goes went going | {to_where} *3
    wait waits waited waiting | {where} for {someone} *2
    wait waits waited waiting | for the {vehicle}
    work works worked working | {where} *3
    sleep sleeps slept sleeping | {where}
    meet meets met meeting | {someone} {where} *3
    visit visits visited visiting | {someone} *2
    visit visits visited visiting | the {place}
    help helps helped helping | {someone} *3
    watch watches watched watching | the {animals} {where}
    watch watches watched watching | a {adj_con} movie
    play plays played playing | {music} *2
    play plays played playing | {sport} with {someone} *2
    study studies studied studying | {subject} *2
    talk talks talked talking | about {topic} *2
    talk talks talked talking | to {someone} about the {idea}
    take takes took taking | {something} {to_where} *2
""")
        )
    )
)

RULES: dict[str, tuple[str, ...]] = (
    WORDS
    | {symbol: _lines(text) for symbol, text in (_GRAMMAR | _SMALL).items()}
    | {"statement": _lines(_STATEMENTS), "question_sentence": _lines(_QUESTIONS)}
)
