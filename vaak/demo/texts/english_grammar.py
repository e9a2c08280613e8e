"""The English grammar of the example: rules of a small context-free grammar over about 700 common words.

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
        {tens}
        {tens} {digit_low}
        one hundred
        {digit} hundred""",
    "digit_low": "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine",
    "clock": """
        {hour} o'clock *2
        half past {hour}
        a quarter past {hour}
        a quarter to {hour}
        {hour} thirty
        noon
        midnight""",
    "date": """
        the {ordinal} of {month}""",
    "adjective": "{size}\n{look} *2\n{color}",
    "someone": """
        {name} *3
        {possessive} {relation} *3
        the {job} *2
        the {kind} {job}
        the {kind} {man}
        {name} and {name}'s {relation}""",
    "man": "man\nwoman\nboy\ngirl",
    "who": """
        {someone} *5
        the {man} with the {adjective} {thing}
        the {job} from {city}""",
    "group": """
        the {people} *2
        {name} and {name} *2
        {possessive} parents
        some of the {people}
        {number} {people}
        my {relation} and I""",
    "i_group": "we *2\nthey *2\nyou",
    "something": """
        the {thing}
        a {adj_con} {thing} *2
        the {adjective} {thing} *2
        {possessive} {thing}
        {number_many} {things}
        the {things}
        some {things}
        {possessive} {adjective} {things}""",
    "adj_con": "big\nsmall\nlong\nheavy\nlarge\nbeautiful\nnew\nstrange\nbroken\ngreen\nblue\nyellow\nblack\nwhite\nbrown",
    "number_many": "{digit}\n{teen}\n{tens}\ntoo many\na lot of\nseveral",
    "to_eat": "{food}\nsome {food}\n{food} and {food}\n{number_many} {foods}\n{foods} and {foods}\nthe {food}",
    "to_drink": "{drink}\na cup of {drink} *2\na glass of {drink} *2\na bottle of {drink}",
    "to_read": "the {document} *2\na {document}\n{possessive} {document}\na {document_about}\nthe {ordinal} {document}",
    "document_about": "{document} about {topic}\nlong {document} about {topic}",
    "topic": "{subject}\nthe {nature}\n{animals}\n{country}\nthe {weather}\nthe {people}",
    "where": """
        in the {room} *2
        at the {place} *2
        in {city} *2
        {near} the {place}
        under the {thing}
        on the {nature}
        in {country}
        at home""",
    "to_where": """
        to the {place} *3
        to {city} *2
        to {country}
        to the {nature}
        to {possessive} {room}
        home""",
    "when_past": """
        yesterday *2
        last night *2
        this morning *2
        last {season}
        last {weekday}
        on {weekday}
        {digit} {span} ago *2
        in {month}
        at {clock}
        on {date}
        before the {weather}""",
    "when_future": """
        tomorrow *2
        tonight
        next {weekday} *2
        next {season}
        in {digit} {span} *2
        on {weekday} evening
        on {date}
        at {clock} *2
        after the {weather}""",
    "when_habit": """
        every day *2
        every morning *2
        every {weekday} *2
        in the evening
        in {season}
        at {clock}
        on {weekday}
        before breakfast
        after dinner""",
    "because": """
        because {he} was {mood} *3
        because the {place} was closed
        because of the {weather} *2
        because it was {season}
        before the {vehicle} left
        when the {weather} came
        while the {people} were sleeping
        but nobody listened
        and then {he} went home""",
    "he": "he\nshe",
    "fact": """
        the {place} is {near} the {place}
        the {vehicle} leaves at {clock}
        {someone} is {mood}
        {someone} lives {where}
        the {idea} was {quality}
        {someone} {do:past}
        the {thing} is {color}
        it will rain {when_future}""",
    "condition": """
        if it rains
        if you have time
        if the {place} is open
        if {someone} is {mood}
        when the {vehicle} arrives
        when the {people} come home
        after dinner""",
}

# Sentence frames; two kinds that differ in their last sign.
_STATEMENTS = """
    {who} {do:past} {when_past} *4
    {who} {do:past} {because} *3
    {who} {do:past} {where} *2
    {when_past}, {who} {do:past}
    {who} {often} {do:s} {when_habit} *2
    {group} {do:past} {when_past} *2
    {group} {do:past} {where}
    {who} will {do:base} {when_future} *3
    {group} will {do:base} {when_future}
    I want to {do:base} {when_future} *2
    I would like to {do:base}
    I have to {do:base} before {clock}
    {who} wants to {do:base} with {someone}
    {who} is going to {do:base} {when_future}
    {who} was {do:ing} when {someone} called *2
    {who} is {do:ing} {where} *2
    {who} was {do:ing} {manner} *2
    {someone} told me that {fact} *3
    I think that {fact} *2
    {someone} says that {fact}
    everybody knows that {fact}
    I hope that {fact}
    {who} asked me to {do:base} *2
    {who} forgot to {do:base} {when_past}
    {who} helped {someone} to {do:base}
    {condition}, we can {do:base} *2
    {condition}, {someone} will {do:base} *2
    you should {do:base} {condition}
    we can {do:base} and {do:base}
    please {do:base} *2
    please do not {do:base} {condition}
    let us {do:base} {when_future}
    it is {quality} to {do:base} *2
    it was {quality} to {do:base} {where}
    there is {a_thing} {where} *2
    there are {number_many} {things} {where} *2
    there were {number_many} {animals} {near} the {place}
    the {thing} {where} is {color}
    the {adjective} {thing} belongs to {someone} *2
    the {thing} costs {number} {money} *2
    I paid {number} {money} for the {adjective} {thing}
    the {vehicle} to {city} leaves at {clock} *2
    the {vehicle} from {city} arrives {when_future}
    the {idea} is on {weekday} at {clock} *2
    the {idea} was {quality} and {quality}
    the {ordinal} {idea} was more {quality} than the {ordinal}
    {possessive} birthday is on {date}
    {someone} was born in {city} on {date}
    {someone} is {age} years old *2
    the {place} is {number} {length} from here *2
    the {place} {near} the {nature} is {look}
    it takes {number} {length_time} to walk to the {place}
    the {place} opens at {clock} and closes at {clock}
    today is {weekday}, {date}
    the {weather} was very strong {when_past}
    there will be {weather} in {city} {when_future} *2
    in {season} the {nature} is {color} and {look}
    {someone} lives {where} with {number_many} {animals}
    {someone} has {number_many} {animals} and a {adj_con} {animal}
    the {animal} sat {where} and looked at the {animal} *2
    the {size} {animal} ran {manner} {across} the {nature} *2
    the {animals} are {mood} {condition}
    {someone} is a {kind_con} {job} and {someone} is {mood} *2
    {someone} was {mood} {because} *2
    {group} were {mood} {when_past}
    {someone} speaks {language} and {language_too}
    {someone} plays {music} and {someone} sings
    {group} played {sport} {where} *2
    {possessive} {relation} teaches {subject} at the {place} *2
    {subject} is more {quality} than {subject}
    nobody could find the {thing} that {someone} lost *2
    the {job} who lives {where} is very {kind}
    the {thing} that {someone} bought {when_past} is broken
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
    could you please {do:base}
    do you want to {do:base} {when_future} *2
    does {someone} {often_q} {do:base}
    have you seen {possessive} {adjective} {thing} *2
    where did {someone} put the {adjective} {thing} *2
    where is the {place} in {city}
    where can I buy {to_eat}
    when does the {vehicle} to {city} leave *2
    when will {someone} come {to_where}
    what did {someone} say about the {idea}
    what time does the {place} open on {weekday}
    how many {things} are there {where} *2
    how many {people} live in {country}
    how much does the {adjective} {thing} cost *2
    how far is the {place} from the {place}
    how old is {someone}
    why is {someone} so {mood} *2
    why did {someone} go {to_where} {when_past}
    who gave you the {adjective} {thing}
    who is the {kind} {job} {near} the {place}
    which {thing} is {color}, the {ordinal} or the {ordinal}
    is the {place} open on {weekday}
    is {someone} still {where}
    are there any {animals} {where}
    would you like {to_drink} or {to_drink} *2
    is it {quality} to {do:base}
    may I {do:base} {when_future}
"""

_SMALL = {
    "movie": "funny movie\nlong movie\nstrange movie\nmovie about {topic}",
    "song": "song\nlong song\nbeautiful song\nsong about {topic}",
    "question": "question\ntelephone\nletter\n{ordinal} question",
    "water": "river\nlake\nocean\ncold water",
    "age": "{digit}\n{teen}\n{tens} *2\n{tens} {digit_low} *2",
    "a_thing": "a {adj_con} {thing}\na {adj_con} {animal}\na {thing} and a {thing}",
    "kind_con": "young\ntall\nfriendly\nclever\nbrave\nfunny\ngentle\nstrong\ncareful\nlonely\npatient",
    "length_time": "minutes\nhours",
    "across": "across\ninto\nover\naround",
    "often_q": "often\nusually\nalways",
    "language": "English\nFrench\nSpanish",
    "language_too": "German\nItalian\nHindi\nJapanese",
}

# Verbs that also stand in the third person and in -ing; the others keep to base and past, so that fewer words are rare.
FULL_VERBS = frozenset(
    [
        "read",
        "write",
        "eat",
        "drink",
        "walk",
        "go",
        "wait",
        "work",
        "stay",
        "meet",
        "help",
        "watch",
        "play",
        "study",
        "talk",
        "clean",
        "sell",
    ]
)

# base, third person, past, -ing | what follows
VERB_PHRASES: tuple[tuple[tuple[str, str, str, str], str], ...] = tuple(
    ((forms[0], forms[1], forms[2], forms[3]), tail.strip())
    for forms, tail in (
        (head.split(), tail)
        for head, _, tail in (
            line.partition("|")
            for line in _lines("""
    open opens opened opening | the {opening} *2
    close closes closed closing | the {opening} *2
    buy buys bought buying | {something} *2
    buy buys bought buying | {to_eat} at the {place}
    sell sells sold selling | {something} *2
    find finds found finding | {something} {where} *2
    lose loses lost losing | {possessive} {thing}
    bring brings brought bringing | {something} {to_where} *2
    carry carries carried carrying | {something} {to_where} *2
    put puts put putting | {something} in the {room}
    clean cleans cleaned cleaning | the {room}
    paint paints painted painting | the {room} {color}
    repair repairs repaired repairing | {something}
    draw draws drew drawing | a {adj_con} {animal}
    show shows showed showing | me {something} *2
    give gives gave giving | {someone} {something} *2
    send sends sent sending | {someone} a {document} *2
    read reads read reading | {to_read} *3
    write writes wrote writing | {to_read} *2
    finish finishes finished finishing | {to_read}
    eat eats ate eating | {to_eat} *3
    cook cooks cooked cooking | {to_eat} *2
    make makes made making | {to_eat} for {someone}
    drink drinks drank drinking | {to_drink} *3
    order orders ordered ordering | {to_drink} *1
    walk walks walked walking | {to_where} *3
    drive drives drove driving | {to_where} *2
    travel travels traveled traveling | {to_where} by {vehicle} *2
    run runs ran running | {to_where}
    go goes went going | {to_where} *3
    return returns returned returning | {to_where}
    move moves moved moving | {to_where}
    wait waits waited waiting | {where} for {someone} *2
    wait waits waited waiting | for the {vehicle} *2
    work works worked working | {where} *2
    sit sits sat sitting | {near} the {place}
    sleep sleeps slept sleeping | {where}
    stand stands stood standing | {near} the {thing}
    stay stays stayed staying | {where} *2
    meet meets met meeting | {someone} {where} *3
    visit visits visited visiting | {someone} *2
    visit visits visited visiting | the {place}
    help helps helped helping | {someone} *2
    call calls called calling | {someone}
    see sees saw seeing | {something} {where}
    watch watches watched watching | the {animals} {where} *2
    watch watches watched watching | a {movie}
    hear hears heard hearing | the {animal} {where}
    feed feeds fed feeding | the {animals} *2
    catch catches caught catching | the {vehicle} to {city} *2
    play plays played playing | {music} *2
    play plays played playing | {sport} with {someone} *2
    study studies studied studying | {subject} *2
    learn learns learned learning | {subject} *2
    teach teaches taught teaching | {subject} *2
    talk talks talked talking | about {topic} *2
    talk talks talked talking | to {someone} about the {idea}
    laugh laughs laughed laughing | about the {idea}
    sing sings sang singing | a {song}
    think thinks thought thinking | about the {idea}
    forget forgets forgot forgetting | the {idea}
    answer answers answered answering | the {question}
    grow grows grew growing | {foods} in the garden
    plant plants planted planting | flowers {near} the {place}
    build builds built building | a house {near} the {nature}
    climb climbs climbed climbing | the {nature}
    swim swims swam swimming | in the {water}
    break breaks broke breaking | the {thing}
    wash washes washed washing | the {things}
    need needs needed needing | {something}
    take takes took taking | {something} {to_where} *2
    leave leaves left leaving | the {place} at {clock}
    keep keeps kept keeping | {something} {where}
""")
        )
    )
)

RULES: dict[str, tuple[str, ...]] = (
    WORDS
    | {symbol: _lines(text) for symbol, text in (_GRAMMAR | _SMALL).items()}
    | {"statement": _lines(_STATEMENTS), "question_sentence": _lines(_QUESTIONS)}
)
