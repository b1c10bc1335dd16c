"""Colours of sky, land and subjects by setting, time of day and weather."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from postcards.painting.brush import Colour, Light, mix

GROUND_SNOW: Colour = (244, 246, 250)
LAMPLIGHT: Colour = (255, 212, 124)

_SKIES: dict[str, dict[str, tuple[Colour, ...]]] = {
    "dawn": {
        "clear": ((142, 136, 196), (204, 160, 200), (244, 184, 190), (253, 216, 190)),
        "cloudy": ((154, 146, 198), (212, 172, 204), (244, 194, 198), (252, 220, 202)),
        "rain": ((150, 136, 168), (184, 158, 180), (214, 178, 186), (228, 198, 194)),
        "snow": ((196, 180, 212), (222, 196, 214), (240, 210, 214), (248, 226, 218)),
        "fog": ((214, 190, 212), (232, 202, 212), (242, 212, 210), (244, 218, 208)),
    },
    "day": {
        "clear": ((44, 122, 194), (92, 166, 218), (152, 204, 232), (212, 234, 236)),
        "cloudy": ((62, 132, 192), (108, 170, 212), (160, 204, 226), (210, 230, 234)),
        "rain": ((116, 134, 150), (142, 158, 172), (166, 180, 190), (188, 198, 202)),
        "snow": ((158, 181, 204), (182, 201, 218), (205, 218, 228), (222, 230, 236)),
        "fog": ((186, 200, 208), (202, 212, 216), (214, 221, 222), (218, 224, 223)),
    },
    "sunset": {
        "clear": ((74, 34, 104), (152, 42, 96), (222, 76, 58), (250, 146, 48), (254, 190, 84)),
        "cloudy": ((78, 40, 108), (160, 52, 98), (222, 88, 66), (246, 148, 60), (252, 186, 92)),
        "rain": ((82, 44, 84), (132, 54, 84), (180, 78, 70), (214, 116, 66), (226, 144, 86)),
        "snow": (
            (150, 84, 130),
            (200, 108, 126),
            (232, 142, 120),
            (246, 180, 134),
            (250, 204, 158),
        ),
        "fog": ((176, 88, 112), (212, 116, 104), (234, 148, 106), (243, 172, 122), (244, 178, 128)),
    },
    "night": {
        "clear": ((8, 13, 42), (14, 24, 66), (28, 46, 98), (58, 84, 136)),
        "cloudy": ((9, 14, 40), (16, 26, 64), (28, 42, 86), (44, 60, 106)),
        "rain": ((14, 18, 36), (22, 29, 52), (34, 42, 68), (46, 55, 82)),
        "snow": ((26, 35, 72), (40, 52, 94), (58, 72, 114), (80, 94, 134)),
        "fog": ((34, 43, 74), (46, 57, 90), (60, 71, 104), (68, 79, 112)),
    },
}
_TINTS: dict[str, Colour] = {
    "dawn": (246, 228, 238),
    "day": (255, 255, 255),
    "sunset": (255, 215, 185),
    "night": (180, 182, 224),
}
_GROUNDS: dict[str, Colour] = {
    "dawn": (216, 208, 224),
    "day": (255, 255, 255),
    "sunset": (230, 184, 148),
    "night": (98, 112, 164),
}
_SNOWY_GROUNDS: dict[str, Colour] = {
    "dawn": (226, 212, 236),
    "day": (255, 255, 255),
    "sunset": (244, 176, 182),
    "night": (108, 124, 182),
}
_WASHES: dict[str, tuple[Colour, float]] = {
    "dawn": ((190, 150, 196), 0.1),
    "day": ((255, 255, 255), 0),
    "sunset": ((118, 28, 84), 0.12),
    "night": ((24, 38, 100), 0.26),
}
_CLOUDS: dict[str, tuple[Colour, Colour]] = {
    "dawn": ((254, 228, 224), (222, 178, 204)),
    "day": ((250, 251, 250), (196, 214, 228)),
    "sunset": ((252, 166, 96), (164, 62, 92)),
    "night": ((70, 84, 134), (42, 54, 100)),
}
_SUNS: dict[str, Colour] = {
    "dawn": (255, 246, 222),
    "day": (255, 232, 128),
    "sunset": (255, 226, 118),
}
_WET: Colour = (206, 214, 222)
_THICKNESS = {"rain": 0.14, "snow": 0.12, "fog": 0.24}
_DAWN_THICKNESS = 0.05
_FADED = {"rain": 0.3, "snow": 0.2, "fog": 0.25}
HAZINESS_IN_FOG = 0.28


@dataclass(frozen=True, slots=True)
class Air:
    """The atmosphere of a backdrop: its sky, and how it changes colours."""

    sky: tuple[Colour, ...]
    """The colours of the sky from the top to the horizon."""

    cloud: Colour
    cloud_shade: Colour
    sun: Colour | None
    ground: Colour
    """The colour of the light on the land. White leaves colours unchanged."""

    weather: str
    time: str
    faded: float
    """The share of grey in the colours of the land."""

    thickness: float
    """The share of haze in the colours of the nearest land."""

    snowy: bool

    haze: Colour
    """The colour of haze, with which distant things blend."""

    wash: Colour
    """The colour that the time of day mixes into all colours of the land."""

    washed: float
    """The share of ``wash`` in the colours of the land."""

    @property
    def dark(self) -> bool:
        """Whether windows and lamps are lit."""
        return self.time == "night"

    def tone(self, colour: Colour, far: float = 0) -> Colour:
        """Return a colour of the backdrop at a distance, ``far`` from 0 to 1."""
        red, green, blue = (
            part * ground // 255 for part, ground in zip(colour, self.ground, strict=True)
        )
        if self.faded:
            grey = (red * 3 + green * 6 + blue) // 10
            red, green, blue = mix((red, green, blue), (grey, grey, grey), self.faded)
        if self.washed:
            red, green, blue = mix((red, green, blue), self.wash, self.washed)
        return mix((red, green, blue), self.haze, 1 - (1 - far) * (1 - self.thickness))

    def glint(self, colour: Colour, far: float = 0) -> Colour:
        """Return the colour of a thing that emits light at a distance, ``far`` from 0 to 1."""
        return mix(colour, self.haze, 1 - (1 - far) * (1 - 0.6 * self.thickness))


def light_of(setting: str, time: str, weather: str) -> Light:
    """Return the light on subjects."""
    air = air_of(setting, time, weather)
    tint = _TINTS[time]
    if weather == "rain":
        red, green, blue = (part * (255 + wet) // 510 for part, wet in zip(tint, _WET, strict=True))
        tint = red, green, blue
    return Light(
        tint=tint,
        haze=air.haze,
        dark=air.dark,
        haziness=HAZINESS_IN_FOG if weather == "fog" else 0,
        snowy=air.snowy,
    )


@cache
def air_of(setting: str, time: str, weather: str) -> Air:
    """Return the atmosphere of a backdrop."""
    snowy = weather == "snow" or setting == "snowfield"
    ground = (_SNOWY_GROUNDS if snowy else _GROUNDS)[time]
    if weather == "rain":
        red, green, blue = (part * wet // 255 for part, wet in zip(ground, _WET, strict=True))
        ground = red, green, blue
    return Air(
        sky=_SKIES[time][weather],
        cloud=_CLOUDS[time][0],
        cloud_shade=_CLOUDS[time][1],
        sun=_SUNS.get(time) if weather == "clear" else None,
        ground=ground,
        weather=weather,
        time=time,
        faded=_FADED.get(weather, 0),
        thickness=_THICKNESS.get(weather, 0) + (_DAWN_THICKNESS if time == "dawn" else 0),
        snowy=snowy,
        haze=_haze(time, weather),
        wash=_WASHES[time][0],
        washed=_WASHES[time][1],
    )


def _haze(time: str, weather: str) -> Colour:
    sky = _SKIES[time][weather]
    if weather != "fog" and time in {"dawn", "sunset"}:
        return mix(sky[-2], sky[-3], 0.35)
    return mix(sky[-1], sky[-2], 0.4)
