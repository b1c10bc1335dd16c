"""The words of captions: synonyms for training, and held-out synonyms for evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Noun: TypeAlias = tuple[str, str]
"""Singular and plural."""


@dataclass(frozen=True, slots=True)
class Place:
    """A noun for a setting, with its preposition."""

    preposition: str
    noun: str
    is_plural: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """Words for a time or a weather: ``at night``, ``night``, ``dark``."""

    adverbs: tuple[str, ...]
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Synonyms by name of kind, setting, time and weather."""

    things: dict[str, tuple[Noun, ...]]
    settings: dict[str, tuple[Place, ...]]
    times: dict[str, Manner]
    weathers: dict[str, Manner]


def _nouns(forms: str) -> tuple[Noun, ...]:
    """Parse ``house, cactus/cacti``: an irregular plural follows a slash."""
    pairs = (form.strip().partition("/") for form in forms.split(","))
    return tuple((one, many or f"{one}s") for one, _, many in pairs)


def _settings(forms: str) -> tuple[Place, ...]:
    """Parse ``on sea, in woods*``: an asterisk marks a plural."""
    parts = (form.strip().partition(" ") for form in forms.split(","))
    return tuple(Place(first, noun.rstrip("*"), noun.endswith("*")) for first, _, noun in parts)


def _manner(adverbs: str, nouns: str, adjectives: str = "") -> Manner:
    def split(forms: str) -> tuple[str, ...]:
        return tuple(form.strip() for form in forms.split(",") if form.strip())

    return Manner(split(adverbs), split(nouns), split(adjectives))


TRAINING_LEXICON = Lexicon(
    things={
        "balloon": _nouns("balloon, hot-air balloon, hot air balloon, balloon"),
        "kite": _nouns("kite, kite, flying kite"),
        "bird": _nouns("bird, bird, flying bird, seagull, gull"),
        "aeroplane": _nouns("aeroplane, airplane, plane, aircraft/aircraft, jet"),
        "moon": _nouns("moon, full moon, moon"),
        "rainbow": _nouns("rainbow"),
        "sailboat": _nouns("sailboat, sailing boat, yacht, sailboat, sailing yacht"),
        "ship": _nouns("ship, steamer, steamship, ship, ocean liner, ferry/ferries"),
        "whale": _nouns("whale"),
        "duck": _nouns("duck, swimming duck, duck"),
        "house": _nouns("house, house, cottage, home, little house, cabin"),
        "lighthouse": _nouns("lighthouse"),
        "windmill": _nouns("windmill, mill, windmill"),
        "castle": _nouns("castle, castle, fortress/fortresses, palace"),
        "tent": _nouns("tent"),
        "tree": _nouns("tree"),
        "palm": _nouns("palm tree, palm, palm tree, coconut palm"),
        "cactus": _nouns("cactus/cacti, cactus/cactuses"),
        "snowman": _nouns("snowman/snowmen"),
        "car": _nouns("car, car, automobile, motor car"),
        "train": _nouns("train, train, steam train, locomotive, railway train"),
        "horse": _nouns("horse, horse, pony/ponies, stallion"),
        "cow": _nouns("cow, cow, cattle/cattle, bull"),
        "sheep": _nouns("sheep/sheep, sheep/sheep, lamb"),
        "parasol": _nouns("parasol, umbrella, beach umbrella, sunshade"),
        "boat": _nouns("boat"),
        "animal": _nouns("animal"),
        "building": _nouns("building"),
        "something": _nouns("something/things, object, thing"),
    },
    settings={
        "sea": _settings("on sea, at sea, on ocean, in open sea, on open water"),
        "beach": _settings("on beach, on beach, on seashore, at seaside, on sandy beach, on sand"),
        "harbour": _settings("in harbour, in harbor, in port, in harbour, at docks*, by quay"),
        "lake": _settings("on lake, by lake, at lake, beside lake, on lakeside"),
        "mountains": _settings(
            "in mountains*, in mountains*, among peaks*, in alps*, in mountain range, "
            "on mountain, in high mountains*"
        ),
        "meadow": _settings(
            "in meadow, in meadow, in green field, on grassland, in green hills*, in pasture, "
            "in countryside"
        ),
        "forest": _settings("in forest, in forest, in woods*, in wood, in forest clearing"),
        "desert": _settings("in desert, in desert, in dunes*, in sand dunes*, in sandy desert"),
        "city": _settings(
            "in city, in city, among skyscrapers*, in big city, in downtown, by skyline, "
            "in city street"
        ),
        "village": _settings("in village, in village, in hamlet, in small village, in small town"),
        "snowfield": _settings(
            "in snowfield, in snowfield, in winter landscape, in field of snow, "
            "in white hills*, in snowy field, in snowy landscape"
        ),
        "canyon": _settings("in canyon, in canyon, in gorge, among red rocks*, among cliffs*"),
        "water": _settings("on water, by water, near water"),
    },
    times={
        "dawn": _manner(
            "at dawn, at sunrise, in the morning, in the early morning, at daybreak",
            "dawn, sunrise, morning, early morning, daybreak",
            "morning",
        ),
        "day": _manner(
            "by day, in daylight, at noon, during the day, in the daytime, in the afternoon",
            "day, daylight, noon, daytime, afternoon",
            "daytime",
        ),
        "sunset": _manner(
            "at sunset, at dusk, in the evening, at sundown, in the evening light",
            "sunset, dusk, evening, sundown, evening light",
            "evening",
        ),
        "night": _manner(
            "at night, by night, after dark, in the dark, at midnight, during the night",
            "night, darkness, midnight, night sky",
            "dark, nocturnal",
        ),
    },
    weathers={
        "clear": _manner(
            "under a clear sky, under clear skies, in clear weather, in fine weather",
            "clear sky, clear weather, cloudless sky, clear skies, fine weather",
            "clear, cloudless",
        ),
        "cloudy": _manner(
            "under clouds, under a cloudy sky, in cloudy weather, under big clouds",
            "clouds, cloudy sky, cloudy weather, overcast sky",
            "cloudy, overcast",
        ),
        "rain": _manner(
            "in the rain, in rain, in rainy weather, while it rains",
            "rain, rainy weather, rain shower, raindrops",
            "rainy, wet",
        ),
        "snow": _manner(
            "in falling snow, while it snows, in a snowfall, as snow falls",
            "falling snow, snowflakes, snowfall",
            "snowing",
        ),
        "fog": _manner(
            "in the fog, in fog, in the mist, in foggy weather, in haze",
            "fog, mist, foggy weather, thick fog",
            "foggy, misty",
        ),
        "winter": _manner(
            "in winter, in the snow, in snow, covered in snow",
            "winter, snow, wintertime, white winter",
            "snowy, wintry",
        ),
    },
)
"""The words of training captions."""

HELD_OUT_LEXICON = Lexicon(
    things={
        "balloon": _nouns("gas balloon, balloon with a basket"),
        "kite": _nouns("paper kite, toy kite"),
        "bird": _nouns("sea bird, bird on the wing/birds on the wing"),
        "aeroplane": _nouns("passenger plane, jet plane, propeller plane"),
        "moon": _nouns("moonrise, crescent moon"),
        "rainbow": _nouns("rain bow, rainbow arch/rainbow arches"),
        "sailboat": _nouns("sail boat, racing yacht, sailing vessel"),
        "ship": _nouns("cruise ship, steam ship, passenger ship"),
        "whale": _nouns("humpback whale, blowing whale"),
        "duck": _nouns("duckling, wild duck"),
        "house": _nouns("farmhouse, country cottage, dwelling house"),
        "lighthouse": _nouns("light house, lighthouse tower"),
        "windmill": _nouns("wind mill, flour mill"),
        "castle": _nouns("medieval castle, castle with towers/castles with towers"),
        "tent": _nouns("camping tent, canvas tent"),
        "tree": _nouns("leafy tree, treetop"),
        "palm": _nouns("date palm, palmtree"),
        "cactus": _nouns("saguaro cactus/saguaro cacti"),
        "snowman": _nouns("snow man/snow men, cheerful snowman/cheerful snowmen"),
        "car": _nouns("motorcar, family car, racing car"),
        "train": _nouns("railway locomotive, passenger train, express train"),
        "horse": _nouns("wild horse, grazing horse, riding pony/riding ponies"),
        "cow": _nouns("dairy cow, grazing cow"),
        "sheep": _nouns("woolly sheep/woolly sheep, lambkin"),
        "parasol": _nouns("beach parasol, sun umbrella"),
    },
    settings={
        "sea": _settings("on wide ocean, on high seas*, on seawater"),
        "beach": _settings("at sandy seaside, on beachfront, on sandy seashore"),
        "harbour": _settings("in fishing harbour, in old port, at harbourside"),
        "lake": _settings("on quiet lake, at lakeshore, on lake water"),
        "mountains": _settings("among mountain peaks*, in mountainside, in alpine mountains*"),
        "meadow": _settings("in grassy meadow, in green pasture, in green countryside"),
        "forest": _settings("in deep woods*, in woodland, in forest glade"),
        "desert": _settings("in desert sand, in hot desert, in desert dunes*"),
        "city": _settings("in modern city, in city centre, in downtown skyline"),
        "village": _settings("in village square, in country village, in little hamlet"),
        "snowfield": _settings("in snowscape, in snow landscape, in snowy hills*"),
        "canyon": _settings("in rocky canyon, in deep gorge, among rocky cliffs*"),
        "water": _settings("on calm water, by waterside"),
    },
    times={
        "dawn": _manner("at the crack of dawn, in the morning light", "morning light, dawn light"),
        "day": _manner("in full daylight, at midday", "midday, broad daylight"),
        "sunset": _manner("at the end of the evening, as the sun sets", "evening sky, sunset sky"),
        "night": _manner("late at night, in the middle of the night", "nighttime, dark night"),
    },
    weathers={
        "clear": _manner("under a cloudless sky", "clear blue sky, cloudless weather"),
        "cloudy": _manner("under an overcast sky, under heavy clouds", "cloud cover, clouded sky"),
        "rain": _manner("in pouring rain, in a rainstorm", "rainfall, heavy rain"),
        "snow": _manner("as snowflakes fall, in heavy snowfall", "snowstorm, snow flakes"),
        "fog": _manner("in thick mist, in dense fog", "mistiness, dense fog"),
        "winter": _manner("in wintery weather, in deep snow", "deep snow, winter snow"),
    },
)
"""Held-out synonyms, which measure how a model generalises to new words.

They are other compounds and other forms of words in training captions, and combinations of known
and unknown words. A model that has read only these captions cannot know unrelated words.
"""
