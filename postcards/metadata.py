"""The metadata of a postcard, derived from its scene: EXIF, tags and a caption."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from postcards.scenes import Scene, Subject

CAMERA_MAKE = "Pictograph"
CAMERA_MODELS = ("Broad Brush", "Fine Brush", "Crayon")

HOURS_BY_TIME = {"dawn": 6, "day": 13, "sunset": 19, "night": 23}
FIRST_YEAR, YEARS = 2023, 3
WINTER_MONTHS = (12, 1, 2)

COORDINATES = {
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
"""Latitude and longitude of a place with such a view, by setting, in degrees."""

NUMBER_WORDS = {1: "a", 2: "two", 3: "three"}
PLURALS = {"sheep": "sheep", "snowman": "snowmen", "cactus": "cacti"}
SETTING_PHRASES = {
    "sea": "at sea",
    "beach": "on a beach",
    "lake": "by a lake",
    "mountains": "in the mountains",
    "meadow": "on a meadow",
    "snowfield": "on a field of snow",
}
TIME_PHRASES = {"dawn": "at dawn", "day": "by day", "sunset": "at sunset", "night": "at night"}
WEATHER_PHRASES = {
    "clear": "under a clear sky",
    "cloudy": "under clouds",
    "rain": "in the rain",
    "snow": "as it snows",
    "fog": "in fog",
}

MAKE_TAG, MODEL_TAG, EXIF_IFD, GPS_IFD = 0x010F, 0x0110, 0x8769, 0x8825
TAKEN_AT_TAG, TAKEN_AT_OFFSET_TAG = 0x9003, 0x9011


@dataclass(frozen=True, slots=True)
class PostcardMetadata:
    """EXIF, tags and caption of a postcard. The same scene has the same metadata."""

    scene: Scene

    @property
    def caption(self) -> str:
        """The whole scene in one sentence."""
        *first, last = map(_phrase, self.scene.subjects)
        things = f"{', '.join(first)} and {last}" if first else last
        where = SETTING_PHRASES.get(self.scene.setting, f"in a {self.scene.setting}")
        when = f"{TIME_PHRASES[self.scene.time]}, {WEATHER_PHRASES[self.scene.weather]}"
        return f"{things[:1].upper()}{things[1:]} {where} {when}."

    @property
    def tags(self) -> tuple[str, ...]:
        """The setting, the time of day, and the kinds of the subjects."""
        kinds = (subject.kind for subject in self.scene.subjects)
        return (self.scene.setting, self.scene.time, *kinds)

    @property
    def taken_at(self) -> datetime:
        """A local time that suits light and weather."""
        random = self._random("when")
        winter = self.scene.weather == "snow" or self.scene.setting == "snowfield"
        months = WINTER_MONTHS if winter else range(3, 12)
        month = random.choice(list(months))
        year, hour = FIRST_YEAR + random.randrange(YEARS), HOURS_BY_TIME[self.scene.time]
        start = datetime(year, month, 1, hour)  # noqa: DTZ001 - cameras write local time
        return start + timedelta(days=random.randrange(28), minutes=random.randrange(60))

    @property
    def coordinates(self) -> tuple[float, float]:
        """Latitude and longitude in degrees, within some kilometres of those of the setting."""
        random = self._random("where")
        latitude, longitude = COORDINATES[self.scene.setting]
        return latitude + random.uniform(-0.05, 0.05), longitude + random.uniform(-0.05, 0.05)

    def exif(self) -> Image.Exif:
        """Return the EXIF: camera, time and coordinates. It has no caption and no tags."""
        exif = Image.Exif()
        exif[MAKE_TAG] = CAMERA_MAKE
        exif[MODEL_TAG] = self._random("with what").choice(CAMERA_MODELS)
        exif.get_ifd(EXIF_IFD)[TAKEN_AT_TAG] = self.taken_at.strftime("%Y:%m:%d %H:%M:%S")
        exif.get_ifd(EXIF_IFD)[TAKEN_AT_OFFSET_TAG] = "+01:00"
        latitude, longitude = self.coordinates
        exif.get_ifd(GPS_IFD).update(
            {
                1: "N",
                2: _degrees(latitude),
                3: "E" if longitude >= 0 else "W",
                4: _degrees(longitude),
            }
        )
        return exif

    def _random(self, purpose: str) -> Random:
        return Random(f"{purpose} {self.scene.seed}")


def _phrase(subject: Subject) -> str:
    """Return a subject as a phrase: “three red kites”, “a large brown castle”."""
    kind = subject.kind
    noun = PLURALS.get(kind, f"{kind}s") if subject.count > 1 else kind
    words = [word for word in (subject.size, subject.colour, noun) if word]
    number = NUMBER_WORDS[subject.count]
    if number == "a" and words[0][0] in "aeio":
        number = "an"
    return " ".join((number, *words))


def _degrees(angle: float) -> tuple[Fraction, Fraction, Fraction]:
    """Return the degrees, minutes and seconds of EXIF, without a sign."""
    degrees, rest = divmod(abs(angle) * 3600, 3600)
    minutes, seconds = divmod(rest, 60)
    return Fraction(int(degrees)), Fraction(int(minutes)), Fraction(round(seconds * 100), 100)
