"""Which emoji name things of one kind: stretches of Unicode's own order, without what a small example need not say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Topic:
    """A kind of word: the emoji of `group` from `first` to `last`, by their English names."""

    name: str
    group: str
    first: str
    last: str


TOPICS = (
    Topic("animal", "animals_nature", "monkey face", "mosquito"),
    Topic("plant", "animals_nature", "bouquet", "mushroom"),
    Topic("food", "food_drink", "grapes", "bubble tea"),
    Topic("place", "travel_places", "snow-capped mountain", "ferris wheel"),
    Topic("vehicle", "travel_places", "locomotive", "bicycle"),
    Topic("vehicle", "travel_places", "sailboat", "rocket"),
    Topic("thing", "travel_places", "luggage", "mantelpiece clock"),
    Topic("game", "activities", "soccer ball", "nesting dolls"),
    Topic("thing", "objects", "glasses", "identification card"),
)

_LEFT_OUT_NAMES = (
    "microbe;sake;bottle with popping cork;wine glass;cocktail glass;tropical drink;beer mug;clinking beer mugs;"
    "clinking glasses;love hotel;church;mosque;hindu temple;synagogue;shinto shrine;kaaba;wedding;moai;bikini;briefs;"
    "one-piece swimsuit;dagger;crossed swords;bomb;bow and arrow;military helmet;syringe;drop of blood;pill;cigarette;"
    "coffin;headstone;funeral urn;nazar amulet;hamsa;prayer beads;toilet;plunger;mouse trap;water pistol;pig nose;"
    "paw prints;spider web;bacon;cut of meat;meat on bone;poultry leg;landslide;derelict house;"
    "Statue of Liberty;Tokyo tower;mount fuji;Japanese castle;"
    "Japanese post office;police car;oncoming police car;manual wheelchair;motorized wheelchair;seat"
)
_LEFT_OUT = frozenset(_LEFT_OUT_NAMES.split(";"))
_NO_NAMES = ("face", "mailbox", "speaker", "oncoming", "front-facing", "magnifying", "envelope", "with slash")


def emoji_of(topic: Topic, groups: list[dict[str, Any]]) -> Iterator[str]:
    """The emoji of a topic, from the groups of the package unicode-emoji-json."""
    (listed,) = (group["emojis"] for group in groups if group["slug"] == topic.group)
    names = [one["name"] for one in listed]
    for one in listed[names.index(topic.first) : names.index(topic.last) + 1]:
        if one["name"] not in _LEFT_OUT and not any(part in one["name"] for part in _NO_NAMES):
            yield one["emoji"]
