"""Where the peaks of generations lie and how wide they are, from a few parameters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# The order of the parameters, each in units of its expected standard deviation.
OWN = ("shift", "undivided_width")
SHARED = ("spacing", "divided_width", "widening", "autofluorescence", "autofluorescence_width")
_OWN_WIDTH_SD = 0.1
_DIVIDED_WIDTH, _DIVIDED_WIDTH_SD = 0.1, 0.2
_WIDENING_SD = 0.04
_LEVEL, _LEVEL_SD = -9.0, 2.0
_LEVEL_BOUNDS = (-14.0, -1.5)
_LIGHT_WIDTH, _LIGHT_WIDTH_SD = 0.45, 0.5
_FARTHEST_SHIFT = 0.45
_STEP = 1e-5


@dataclass(frozen=True, slots=True)
class UndividedPeak:
    """Where undivided cells lie: CFSE intensity of the peak and its width in divisions (log2).

    ``shape`` says how the peak differs from a normal one (of log2): weight, place and width of its
    normal parts, in units of ``width``, with mean 0 and variance 1. ``divided`` is the share of the
    unstimulated cells in the generations below it.
    """

    intensity: float
    width: float
    events: int
    shape: tuple[tuple[float, float, float], ...] = ((1.0, 0.0, 1.0),)
    divided: float = 0.0


def peak_density(z: Floats, peak: UndividedPeak) -> tuple[Floats, Floats]:
    """Density of a peak's shape at standardized distances, and its slope."""
    density, slope = np.zeros_like(z), np.zeros_like(z)
    for weight, place, width in peak.shape:
        away = (z - place) / width
        part = weight * np.exp(-0.5 * away**2) / (width * np.sqrt(2 * np.pi))
        density += part
        slope -= part * away / width
    return density, slope


@dataclass(frozen=True, slots=True)
class Comb:
    """What is known of the peaks of generations before a well is looked at.

    ``shift_sd`` and ``spacing_sd`` (log2) are the standard deviations expected of the shift of the
    comb and of the distance of generations from one division; 0 holds them. Autofluorescence is
    held where it is given, else it is expected around a five-hundredth of the undivided peak,
    give or take a factor of four.
    """

    undivided: UndividedPeak
    generations: int
    autofluorescence: float | None
    shift_sd: float
    spacing_sd: float

    def free(self) -> NDArray[np.bool_]:
        """Which parameters are fitted, in the order of `OWN` and `SHARED`."""
        dark = self.autofluorescence is None
        lit = dark or bool(self.autofluorescence)
        return np.array([self.shift_sd > 0, True, self.spacing_sd > 0, True, True, dark, lit])

    def bounds(self) -> list[tuple[float, float]]:
        """Limits of the parameters, in units of their standard deviation."""
        low, high = ((x - _LEVEL) / _LEVEL_SD for x in _LEVEL_BOUNDS)
        far = _FARTHEST_SHIFT / max(self.shift_sd, 1e-9)
        return [(-far, far), *[(-4.0, 4.0)] * 4, (low, high), (-2.0, 2.0)]

    def light(self, units: Floats) -> Floats:
        """Autofluorescence on the scale of intensities."""
        if self.autofluorescence is not None:
            return np.full(units.shape[:-1], self.autofluorescence)
        return np.asarray(
            self.undivided.intensity * 2.0 ** (_LEVEL + _LEVEL_SD * units[..., 5]), np.float64
        )

    def shift(self, units: Floats) -> float:
        """Shift of the whole comb against the unstimulated well's, log2."""
        return float(self.shift_sd * units[0])

    def spacing(self, units: Floats) -> float:
        """Distance of generations without autofluorescence, log2."""
        return float(1 + self.spacing_sd * units[2])

    def places(self, units: Floats) -> tuple[Floats, Floats]:
        """Peaks and widths of all generations (last axis), log2, for parameters (last axis).

        The label of a cell has a width of its own; unlabelled light is added to it, so that the
        peaks of late generations crowd above it and take on its width.
        """
        by = np.moveaxis(units, -1, 0)[..., None]
        light = self.light(units)[..., None]
        generation = np.arange(self.generations + 1)
        first = self.undivided.intensity - light
        steps = (1 + self.spacing_sd * by[2]) * generation
        label = first * 2.0 ** (self.shift_sd * by[0] - steps)
        of_label = label / (label + light)
        glow = _LIGHT_WIDTH * np.exp(_LIGHT_WIDTH_SD * by[6])
        own = _without_light(self.undivided.width, first / self.undivided.intensity, glow)
        divided = _DIVIDED_WIDTH + _DIVIDED_WIDTH_SD * by[3]
        divided = divided + _WIDENING_SD * by[4] * (generation - 1)
        widths = own * np.exp(np.where(generation == 0, _OWN_WIDTH_SD * by[1], divided))
        total = np.sqrt((of_label * widths) ** 2 + ((1 - of_label) * glow) ** 2)
        return np.log2(label + light), total

    def slopes(self, units: Floats) -> tuple[Floats, Floats]:
        """Change of the peaks, and relative change of the widths, with each parameter."""
        step = _STEP * np.eye(units.size)
        peaks, widths = self.places(np.concatenate([units + step, units - step]))
        change = np.log(widths)
        n = units.size
        return (peaks[:n] - peaks[n:]) / (2 * _STEP), (change[:n] - change[n:]) / (2 * _STEP)


def _without_light(width: float, of_label: Floats, glow: Floats) -> Floats:
    """Width of the label in the undivided peak, where part of the light is not the label's."""
    square = width**2 - ((1 - of_label) * glow) ** 2
    return np.asarray(np.sqrt(np.maximum(square, (0.5 * width) ** 2)) / of_label)
