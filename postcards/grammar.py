"""Generates captions from descriptions, from keywords to whole sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postcards.lexicon import HELD_OUT_LEXICON, TRAINING_LEXICON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from postcards.descriptions import Description, Mention
    from postcards.lexicon import Lexicon, Manner, Place

COUNT_WORDS = {
    1: ("one", "a single", "just one", "1"),
    2: ("two", "two", "a pair of", "2"),
    3: ("three", "three", "three", "3"),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
PLACE_PHRASES = {
    "left": ("on the left", "to the left", "on the left side", "at left"),
    "centre": ("in the middle", "in the centre", "in the center", "at the centre"),
    "right": ("on the right", "to the right", "on the right side", "at right"),
}
OPENINGS = (
    "a postcard of",
    "a picture of",
    "an illustration of",
    "a drawing of",
    "a painting of",
    "a view of",
    "a photo of",
    "a photograph of",
    "an image of",
    "a scene with",
    "a poster with",
    "a postcard showing",
    "there is",
    "this is",
    "postcard with",
)
HELD_OUT_OPENINGS = (
    "show me",
    "i am looking for",
    "find",
    "where can i see",
    "have you got",
    "we saw",
    "please search for",
    "a card that shows",
    "do you remember",
    "my holiday snapshot of",
)
FILLERS = (
    *("lovely", "beautiful", "pretty", "nice", "old-fashioned", "vintage", "retro", "charming"),
    *("calm", "famous", "colourful", "picturesque", "dreamy", "wonderful", "classic", "peaceful"),
    *("simple", "stylish"),
)
VOWELS = "aeio"


@dataclass(frozen=True, slots=True)
class Grammar:
    """Generates captions from a lexicon and from openings of sentences."""

    lexicon: Lexicon
    openings: tuple[str, ...]
    opening_chance: float
    """The probability that a caption has an opening."""

    noise_word_chance: float = 0.0
    """The probability of a random word, from which a model learns to ignore unknown words."""

    def caption(self, description: Description, random: Random) -> str:
        """Return a caption with exactly the content of the description, in lower case."""
        caption = self._sentence(description, random)
        if random.random() < self.noise_word_chance:
            words = caption.split()
            words.insert(random.randint(0, len(words)), _noise_word(random))
            caption = " ".join(words)
        if random.random() < self.opening_chance:
            caption = f"{random.choice(self.openings)} {caption}"
        return caption

    def _sentence(self, description: Description, random: Random) -> str:
        if random.random() < 0.22:
            return self._keywords(description, random)
        things = self._things(description.mentions, random)
        place, manners = self._place_and_manners(description, random)
        if not things:
            return _spread([place] if place else [], manners, random)
        if place and random.random() < 0.3:
            # "a village at dusk, with two birds"
            link = random.choice(("with", "with", "and", ", with"))
            return _tidy(f"{_spread([place], manners, random)} {link} {things}")
        where = self._where(description, random) if place else ""
        tail = [part for part in (where, *manners) if part]
        random.shuffle(tail)
        if random.random() < 0.15:
            return _tidy(f"{' '.join(tail)}, {things}") if tail else things
        return _tidy(f"{things} {random.choice((' ', ' ', ', ')).join(tail)}")

    def _keywords(self, description: Description, random: Random) -> str:
        parts = [self._bare(mention, random) for mention in description.mentions]
        if description.setting:
            parts.append(random.choice(self.lexicon.settings[description.setting]).noun)
        if description.time:
            parts.append(random.choice(self.lexicon.times[description.time].nouns))
        if description.weather:
            parts.append(random.choice(self.lexicon.weathers[description.weather].nouns))
        random.shuffle(parts)
        return random.choice((", ", ", ", " ")).join(parts)

    def _things(self, mentions: Sequence[Mention], random: Random) -> str:
        phrases = [self._thing(mention, random) for mention in mentions]
        random.shuffle(phrases)
        if len(phrases) < 2:
            return "".join(phrases)
        link = random.choice((" and ", " and ", ", ", " with "))
        return f"{', '.join(phrases[:-1])}{link}{phrases[-1]}"

    def _thing(self, mention: Mention, random: Random) -> str:
        where = f" {random.choice(PLACE_PHRASES[mention.place])}" if mention.place else ""
        if mention.thing == "something" and mention.colour:
            return random.choice(
                (f"something {mention.colour}", f"a {mention.colour} thing", mention.colour)
            )
        many = (mention.count or random.choice((1, 1, 1, 2))) > 1
        one = self._bare(mention, random, many=many, filler=True)
        if mention.count:
            # Without a number, singular and plural can both be true: "a house" also fits three.
            return f"{random.choice(COUNT_WORDS[mention.count])} {one}{where}"
        return f"{'' if many else _article(one, random)}{one}{where}"

    def _bare(
        self, mention: Mention, random: Random, *, many: bool | None = None, filler: bool = False
    ) -> str:
        names = self.lexicon.things.get(mention.thing) or TRAINING_LEXICON.things[mention.thing]
        name = random.choice(names)
        if many is None and mention.count:
            number = random.choice(COUNT_WORDS[mention.count][-1:] + COUNT_WORDS[mention.count][:1])
            head = [number]
            many = mention.count > 1
        else:
            head = []
        size = [random.choice(SIZE_WORDS[mention.size])] if mention.size else []
        fill = [random.choice(FILLERS)] if filler and random.random() < 0.06 else []
        colour = [mention.colour] if mention.colour else []
        where = [mention.place] if mention.place and not filler else []
        return " ".join([*head, *fill, *size, *colour, name[1 if many else 0], *where])

    def _where(self, description: Description, random: Random) -> str:
        place = random.choice(self.lexicon.settings[description.setting or "water"])
        preposition = place.preposition
        if random.random() < 0.2:
            preposition = random.choice(("over", "above", "near", "by", "before"))
        return f"{preposition} {_setting(place, self._adjective(description, random), random)}"

    def _place_and_manners(self, description: Description, random: Random) -> tuple[str, list[str]]:
        lexicon = self.lexicon
        manners = []
        if description.time == "day" and description.weather == "clear" and _often(random):
            manners.append(random.choice(("on a sunny day", "in sunshine", "on a sunny day")))
        elif description.time == "night" and description.weather == "clear" and _often(random):
            manners.append(random.choice(("under the stars", "on a starry night")))
        else:
            if description.time:
                manners.append(_manner(lexicon.times[description.time], random))
            if description.weather:
                manners.append(_manner(lexicon.weathers[description.weather], random))
        random.shuffle(manners)
        if not description.setting:
            return "", manners
        place = random.choice(lexicon.settings[description.setting])
        return _setting(place, self._adjective(description, random), random), manners

    def _adjective(self, description: Description, random: Random) -> str:
        words = [
            *(self.lexicon.weathers[description.weather].adjectives if description.weather else ()),
            *(self.lexicon.times[description.time].adjectives if description.time else ()),
        ]
        return random.choice(words) if words and random.random() < 0.35 else ""


TRAINING_GRAMMAR = Grammar(TRAINING_LEXICON, OPENINGS, opening_chance=0.25, noise_word_chance=0.08)
HELD_OUT_GRAMMAR = Grammar(HELD_OUT_LEXICON, HELD_OUT_OPENINGS, opening_chance=1.0)
PLAIN_GRAMMAR = Grammar(TRAINING_LEXICON, OPENINGS, opening_chance=0.0)


def _setting(place: Place, adjective: str, random: Random) -> str:
    phrase = f"{adjective} {place.noun}".strip()
    if place.is_plural:
        return random.choice(("", "the ")) + phrase
    return f"{random.choice(('the', 'the', _article(phrase, random).strip()))} {phrase}"


def _manner(manner: Manner, random: Random) -> str:
    return random.choice(manner.adverbs)


def _spread(place: list[str], manners: list[str], random: Random) -> str:
    if not place and len(manners) == 1:
        return manners[0]
    return random.choice((" ", " ", ", ")).join([*place, *manners])


def _article(phrase: str, random: Random) -> str:
    if random.random() < 0.12:
        return random.choice(("the ", ""))
    return "an " if phrase[0] in VOWELS else "a "


def _often(random: Random) -> bool:
    return random.random() < 0.5


def _noise_word(random: Random) -> str:
    letters = "".join(random.choices("abcdefghijklmnoprstuvwz", k=random.randint(3, 9)))
    return random.choice((letters, random.choice(FILLERS)))


def _tidy(text: str) -> str:
    return " ".join(text.replace(" ,", ",").split())
