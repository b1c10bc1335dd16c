"""The colour space of a picture as an ICC profile: embedded, or made of what its format says.

PNG has cICP, sRGB, and gAMA with cHRM; HEIC and AVIF have nclx. Both cICP and nclx number the
primaries and the transfer functions of ITU-T H.273.
"""

from __future__ import annotations

import io
import math
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

Chromaticities: TypeAlias = tuple[float, ...]
"""x and y of white, red, green and blue, as cHRM orders them."""

_D65 = (0.3127, 0.3290)
_SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: Mapping[int, Chromaticities] = {
    1: _SRGB,
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_CURVE_SIZE = 1_024
_D50_XYZ = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# A gamma of 1 / 2.2 is how PNG writes sRGB.
_SRGB_GAMMA, _GAMMA_TOLERANCE, _CHROMATICITY_TOLERANCE = 1 / 2.2, 0.005, 0.005
# White of pictures for screens, and the peak of PQ, in candela per square metre (BT.2408).
_REFERENCE_WHITE, _PQ_PEAK = 203.0, 10_000.0
# Above this part of the range, what is brighter than white is compressed.
_SHOULDER = 0.8
_MAX_HEADER_BYTES = 1 << 16
# Colours of which a profile of sRGB changes none visibly.
_PROBE = Image.merge(
    "RGB",
    [
        Image.frombytes("L", (64, 1), bytes(levels))
        for levels in (
            [n % 4 * 85 for n in range(64)],
            [n // 4 % 4 * 85 for n in range(64)],
            [n // 16 * 85 for n in range(64)],
        )
    ],
)
_MAX_SRGB_DIFFERENCE = 3


def profile_of(image: Image.Image, data: bytes, content_type: str) -> bytes | None:
    """Return the ICC profile of a picture; None for sRGB, and where nothing is said."""
    embedded = image.info.get("icc_profile") or None
    if content_type == "image/png":
        if code_points := _cicp(data):
            return _profile_of_code_points(*code_points) or embedded
        return embedded or _profile_of_gamma(image.info)
    if content_type in {"image/avif", "image/heic"} and not embedded:
        code_points = _nclx(data)
        return _profile_of_code_points(*code_points) if code_points else None
    return embedded


@lru_cache(maxsize=32)
def is_srgb(profile: bytes) -> bool:
    """Return whether converting from an RGB profile to sRGB changes nothing visible.

    By content: the name of a profile does not tell its curves. Raises PyCMSError.
    """
    converted = ImageCms.profileToProfile(
        _PROBE, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    assert converted  # noqa: S101 - None only with inPlace
    before, after = (np.asarray(each, np.int16) for each in (_PROBE, converted))
    return bool(abs(before - after).max() <= _MAX_SRGB_DIFFERENCE)


def _cicp(data: bytes) -> tuple[int, int] | None:
    """Return primaries and transfer of a PNG's chunk cICP, which precedes the pixels."""
    position = 8
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            return None
        if kind == b"cICP" and position + 10 <= len(data):
            return data[position + 8], data[position + 9]
        position += 12 + size
    return None


def _nclx(data: bytes) -> tuple[int, int] | None:
    start = data.find(b"colrnclx", 0, _MAX_HEADER_BYTES)
    if start < 0 or start + 12 > len(data):
        return None
    primaries, transfer = struct.unpack_from(">HH", data, start + 8)
    return primaries, transfer


def _profile_of_code_points(primaries: int, transfer: int) -> bytes | None:
    curve = _TRANSFERS.get(transfer)
    chromaticities = _PRIMARIES.get(primaries)
    if chromaticities is None or (chromaticities == _SRGB and curve is None):
        return None
    return _make_profile(chromaticities, curve or _srgb_curve)


def _profile_of_gamma(info: Mapping[str | tuple[int, int], object]) -> bytes | None:
    """Return the profile of gAMA and cHRM, of which either may be missing."""
    gamma, given = info.get("gamma"), info.get("chromaticity")
    if "srgb" in info or not isinstance(gamma, float) or not 0.1 <= gamma <= 2:  # noqa: PLR2004 - sensible
        return None
    chromaticities = given if isinstance(given, tuple) and len(given) == len(_SRGB) else _SRGB
    is_near = all(
        abs(ours - theirs) <= _CHROMATICITY_TOLERANCE
        for ours, theirs in zip(chromaticities, _SRGB, strict=True)
    )
    is_plain = abs(gamma - _SRGB_GAMMA) <= _GAMMA_TOLERANCE
    if is_near and is_plain:
        return None
    return _make_profile(chromaticities, _srgb_curve if is_plain else _power(1 / gamma))


def _power(exponent: float) -> Callable[[float], float]:
    return lambda value: value**exponent


def _srgb_curve(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - IEC 61966-2-1


def _pq_curve(value: float) -> float:
    """SMPTE ST 2084."""
    root = value ** (1 / 78.84375)
    ratio = max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return _compress(ratio ** (1 / 0.1593017578125) * _PQ_PEAK / _REFERENCE_WHITE)


def _hlg_curve(value: float) -> float:
    """ITU-R BT.2100, whose reference white is at 75 % of the signal."""

    def scene(signal: float) -> float:
        if signal <= 0.5:  # noqa: PLR2004 - BT.2100
            return signal**2 / 3
        return (math.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12

    return _compress((scene(value) / scene(0.75)) ** 1.2)


def _compress(light: float) -> float:
    """Map light brighter than white into the upper part of the range."""
    if light <= _SHOULDER:
        return light
    rest = 1 - _SHOULDER
    return _SHOULDER + rest * (1 - math.exp(-(light - _SHOULDER) / rest))


# Encoders write the functions of video (1, 6, 14, 15) for sRGB, which browsers show as sRGB.
_TRANSFERS: Mapping[int, Callable[[float], float]] = {
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    16: _pq_curve,
    18: _hlg_curve,
}


def _make_profile(chromaticities: Sequence[float], curve: Callable[[float], float]) -> bytes | None:
    """Return an ICC profile of version 2 with a matrix and one curve; None without a solution."""
    white, *primaries = (
        _xyz(*chromaticities[start : start + 2]) for start in range(0, len(chromaticities), 2)
    )
    try:
        columns = np.array(primaries).T
        columns = columns * np.linalg.solve(columns, white)
        cones = (_BRADFORD @ _D50_XYZ) / (_BRADFORD @ white)
        adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ columns
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(adapted).all() or abs(adapted).max() > 2:  # noqa: PLR2004 - far from any colour
        return None
    levels = [round(65_535 * curve(step / (_CURVE_SIZE - 1))) for step in range(_CURVE_SIZE)]
    table = b"curv" + bytes(4) + struct.pack(f">I{_CURVE_SIZE}H", _CURVE_SIZE, *levels)
    tags = {b"wtpt": _xyz_tag(_D50_XYZ)}
    for index, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = _xyz_tag(adapted[:, index])
        tags[name + b"TRC"] = table
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", 5) + b"made\0" + bytes(78)
    return _packed(tags)


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1, (1 - x - y) / y]) if y > 0 else np.full(3, np.inf)


def _xyz_tag(xyz: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65_536 * float(part)) for part in xyz))


def _packed(tags: Mapping[bytes, bytes]) -> bytes:
    head, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        head += name + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    illuminant = _xyz_tag(_D50_XYZ)[8:]
    header = (
        struct.pack(
            ">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ "
        )
        + struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
        + b"acsp"
        + bytes(28)
        + illuminant
    )
    return header.ljust(128, b"\0") + head + body
