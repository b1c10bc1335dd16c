"""The back of a postcard: when and where it was drawn, with what, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from postcards.scenes import Scene, Subject

MAKE = "Pictograph"
BRUSHES = ("Broad Brush", "Fine Brush", "Crayon")

HOURS = {"dawn": 6, "day": 13, "sunset": 19, "night": 23}
FIRST_YEAR, YEARS = 2023, 3
WINTER = (12, 1, 2)

PLACES = {
    "sea": (43.98, 8.27),
    "beach": (44.06, 12.57),
    "harbour": (44.41, 8.93),
    "lake": (45.99, 9.26),
    "mountains": (46.62, 12.30),
    "meadow": (42.80, 13.20),
    "forest": (43.79, 11.82),
    "desert": (37.05, -2.39),
    "city": (43.77, 11.25),
    "village": (43.47, 11.88),
    "snowfield": (46.54, 10.14),
    "canyon": (43.74, 6.37),
}
"""Latitude and longitude of a place that has such a view, in degrees."""

NUMBERS = {1: "a", 2: "two", 3: "three"}
PLURALS = {"sheep": "sheep", "snowman": "snowmen", "cactus": "cacti"}
WHERE = {
    "sea": "at sea",
    "beach": "on a beach",
    "lake": "by a lake",
    "mountains": "in the mountains",
    "meadow": "on a meadow",
    "snowfield": "on a field of snow",
}
WHEN = {"dawn": "at dawn", "day": "by day", "sunset": "at sunset", "night": "at night"}
WEATHER = {
    "clear": "under a clear sky",
    "cloudy": "under clouds",
    "rain": "in the rain",
    "snow": "as it snows",
    "fog": "in fog",
}

MAKE_TAG, MODEL_TAG, EXIF_IFD, GPS_IFD = 0x010F, 0x0110, 0x8769, 0x8825
TAKEN_AT_TAG, TAKEN_AT_OFFSET_TAG = 0x9003, 0x9011


@dataclass(frozen=True, slots=True)
class Back:
    """What a scene's postcard says of itself. The same scene says the same."""

    scene: Scene

    @property
    def caption(self) -> str:
        """All there is to say about the picture, in a sentence."""
        *first, last = map(_named, self.scene.subjects)
        things = f"{', '.join(first)} and {last}" if first else last
        where = WHERE.get(self.scene.setting, f"in a {self.scene.setting}")
        when = f"{WHEN[self.scene.time]}, {WEATHER[self.scene.weather]}"
        return f"{things[:1].upper()}{things[1:]} {where} {when}."

    @property
    def tags(self) -> tuple[str, ...]:
        """The setting, the time of day, and what is there."""
        kinds = (subject.kind for subject in self.scene.subjects)
        return (self.scene.setting, self.scene.time, *kinds)

    @property
    def drawn_at(self) -> datetime:
        """A moment, local time, that suits light and weather."""
        luck = self._luck("when")
        winter = self.scene.weather == "snow" or self.scene.setting == "snowfield"
        months = WINTER if winter else range(3, 12)
        month = luck.choice(list(months))
        start = datetime(FIRST_YEAR + luck.randrange(YEARS), month, 1, HOURS[self.scene.time])  # noqa: DTZ001 - as cameras write it
        return start + timedelta(days=luck.randrange(28), minutes=luck.randrange(60))

    @property
    def place(self) -> tuple[float, float]:
        """Latitude and longitude in degrees, within some kilometres of the setting's place."""
        luck = self._luck("where")
        latitude, longitude = PLACES[self.scene.setting]
        return latitude + luck.uniform(-0.05, 0.05), longitude + luck.uniform(-0.05, 0.05)

    def exif(self) -> Image.Exif:
        """Return all that as a camera writes it, but for caption and tags."""
        exif = Image.Exif()
        exif[MAKE_TAG] = MAKE
        exif[MODEL_TAG] = self._luck("with what").choice(BRUSHES)
        exif.get_ifd(EXIF_IFD)[TAKEN_AT_TAG] = self.drawn_at.strftime("%Y:%m:%d %H:%M:%S")
        exif.get_ifd(EXIF_IFD)[TAKEN_AT_OFFSET_TAG] = "+01:00"
        latitude, longitude = self.place
        exif.get_ifd(GPS_IFD).update(
            {
                1: "N",
                2: _degrees(latitude),
                3: "E" if longitude >= 0 else "W",
                4: _degrees(longitude),
            }
        )
        return exif

    def _luck(self, of_what: str) -> Random:
        return Random(f"{of_what} {self.scene.seed}")


def _named(subject: Subject) -> str:
    """Return “three red kites”, “a large brown castle”."""
    kind = subject.kind
    noun = PLURALS.get(kind, f"{kind}s") if subject.count > 1 else kind
    words = [word for word in (subject.size, subject.colour, noun) if word]
    number = NUMBERS[subject.count]
    if number == "a" and words[0][0] in "aeio":
        number = "an"
    return " ".join((number, *words))


def _degrees(angle: float) -> tuple[Fraction, Fraction, Fraction]:
    """Return degrees, minutes and seconds as EXIF has them, without a sign."""
    degrees, rest = divmod(abs(angle) * 3600, 3600)
    minutes, seconds = divmod(rest, 60)
    return Fraction(int(degrees)), Fraction(int(minutes)), Fraction(round(seconds * 100), 100)
