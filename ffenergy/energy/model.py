"""Pure functions that price counts under a hardware profile (docs/metric.md §10 "Energy").

Counts come in, energies go out in the unit of the profile's results: joules under a profile in
pJ, multiples of one multiply-accumulate under a relative one. The unit is in every column name.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ffenergy.energy.profile import Profile, Wire
from ffenergy.errors import PricingError

FloatArray = npt.NDArray[np.float64]
GRID_WORD_BYTES: Final = 4
REAL_PARTS: Final = {"complex64": "float32", "complex128": "float64"}
IN_REALS: Final = np.array([[2, 0, 0], [2, 4, 0], [3, 6, 2]])
"""Additions, multiplications and specials of reals in one complex addition, multiplication and
special: the textbook's (a + bi)(c + di), and (a + bi) / (c + di), which stands for every special.
"""
Access = Literal["read", "written"]


def compute_energy(profile: Profile, work: pd.DataFrame) -> pd.Series[float]:
    """Energy of the arithmetic in each row of `work`.

    Columns read: ``dtype`` (NumPy name of the type computed in), ``adds``, ``multiplies``,
    ``specials`` (scalar operations, integers ≥ 0). Returns a float series on the same index
    named ``energy_compute_joules`` (or ``…_macs``). A row with operations in a dtype that the
    profile does not price raises :class:`PricingError`; a row with none costs nothing. Complex
    operations that it does not price cost those on their parts, an estimate: ``IN_REALS``.
    """
    _require(work, "dtype", "adds", "multiplies", "specials")
    counts = _counts(work, "adds", "multiplies", "specials")
    energy = np.zeros(len(work))
    dtypes = work["dtype"].astype(str).to_numpy()
    for dtype in sorted(set(dtypes[counts.any(axis=1)])):
        own = dtype in profile.compute or dtype in profile.compute_as
        parts = None if own else REAL_PARTS.get(dtype)
        price = profile.operations(parts or dtype)
        per_operation = np.array(
            [c.energy(profile.energy_unit) for c in (price.add, price.multiply, price.special)]
        )
        if parts:
            per_operation = IN_REALS @ per_operation
        rows = dtypes == dtype
        energy[rows] = counts[rows] @ per_operation
    return pd.Series(
        energy * profile.result_scale, index=work.index, name=profile.column("compute")
    )


def movement_energy(profile: Profile, served: pd.DataFrame) -> pd.DataFrame:
    """Energy of the bytes served by each memory level, reads and writes apart.

    `served` is tidy: one row per level and whatever keys the caller has (algorithm, layer,
    phase, role, …), with columns ``level`` (a name of the profile), ``bytes_read`` and
    ``bytes_written``: the bytes *served* by that level (docs/metric.md §8 "Levels"), not those
    passing it; under a profile of increments the faster levels passed on the way are added here.
    Returns a copy with ``energy_read_*``, ``energy_written_*`` and their sum ``energy_movement_*``.
    """
    _require(served, "level", "bytes_read", "bytes_written")
    if not profile.levels:
        raise PricingError(
            f"profile {profile.name} prices distances, not levels; give distance_movement_energy"
            " a reuse-distance histogram"
        )
    prices = {level.name: (level.read_per_byte, level.write_per_byte) for level in profile.levels}
    names = served["level"].astype(str)
    foreign = sorted(set(names) - set(prices))
    if foreign:
        raise PricingError(
            f"profile {profile.name} has no level {foreign[0]!r}; its levels are"
            f" {', '.join(prices)}"
        )
    per_byte = np.array([prices[name] for name in names], dtype=np.float64).reshape(-1, 2)
    energy = _counts(served, "bytes_read", "bytes_written") * per_byte * profile.result_scale
    return _with_energies(profile, served, energy[:, 0], energy[:, 1])


def tidy_levels(profile: Profile, wide: pd.DataFrame) -> pd.DataFrame:
    """Bring ``bytes_read_<level>``, ``bytes_written_<level>`` columns into the tidy form.

    Every level of the profile must be there; all other columns are repeated as keys. Rows come
    level by level, fastest first.
    """
    columns = {
        name: (f"bytes_read_{name}", f"bytes_written_{name}") for name in profile.level_names
    }
    spread = [column for pair in columns.values() for column in pair]
    _require(wide, *spread)
    keys = wide.drop(columns=spread)
    parts = [
        keys.assign(level=name, bytes_read=wide[read], bytes_written=wide[written])
        for name, (read, written) in columns.items()
    ]
    return pd.concat(parts, ignore_index=True)


def wire_movement_energy(profile: Profile, histogram: pd.DataFrame) -> pd.DataFrame:
    """Price a reuse-distance histogram directly under a wire model.

    `histogram` has one row per distance and whatever keys the caller has, with columns
    ``distance_bytes`` (≥ 1; 0 for a byte that stays where it was born), ``bytes_read`` and
    ``bytes_written``. Reads lie at their own stack distance; written bytes at the distance of
    their next read (docs/metric.md §8 "Levels"), which the caller supplies. Distances may be real
    numbers (bin centres); for exact sums use :func:`wire_energy`. Returns a copy with the same
    columns as :func:`movement_energy`. A cold access (−1) has no distance and raises
    :class:`PricingError`: place it at the footprint, or leave it out and say so.
    """
    distance, nbytes = _distances(histogram)
    roots = np.sqrt(distance)
    return _with_energies(
        profile,
        histogram,
        wire_energy(profile, nbytes[:, 0], nbytes[:, 0] * roots, "read"),
        wire_energy(profile, nbytes[:, 1], nbytes[:, 1] * roots, "written"),
    )


def distance_movement_energy(profile: Profile, histogram: pd.DataFrame) -> pd.DataFrame:
    """Price a reuse-distance histogram under a profile that prices distances, wire or grid."""
    price = grid_movement_energy if profile.grid is not None else wire_movement_energy
    return price(profile, histogram)


def grid_movement_energy(profile: Profile, histogram: pd.DataFrame) -> pd.DataFrame:
    """Price a reuse-distance histogram on Dally's grid; columns as `wire_movement_energy`.

    A 32-bit word whose last byte lies at distance d is ⌈√⌈d/4⌉⌉ hops away; reads and writes cost
    the same. A byte that stays where it was born (distance 0) pays the least.
    """
    if profile.grid is None:
        raise PricingError(f"profile {profile.name} has no grid; its prices are of another kind")
    distance, nbytes = _distances(histogram)
    least, hop = (
        constant.energy_per_byte(profile.energy_unit)
        for constant in (profile.grid.least, profile.grid.hop)
    )
    hops = np.ceil(np.sqrt(np.ceil(distance / GRID_WORD_BYTES)))
    energy = nbytes * (np.maximum(least, hops * hop) * profile.result_scale)[:, None]
    return _with_energies(profile, histogram, energy[:, 0], energy[:, 1])


def _distances(histogram: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Distances and bytes of a histogram. Raises PricingError on one that has no distance."""
    _require(histogram, "distance_bytes", "bytes_read", "bytes_written")
    distance = histogram["distance_bytes"].to_numpy(dtype=np.float64)
    if not (np.isfinite(distance).all() and (distance >= 0).all()):
        raise PricingError(
            "distance_bytes holds a negative or missing distance (−1 marks a cold access); place"
            " cold bytes at the footprint or leave them out before pricing"
        )
    return distance, _counts(histogram, "bytes_read", "bytes_written")


def wire_energy(
    profile: Profile, nbytes: npt.ArrayLike, byte_root_distance: npt.ArrayLike, access: Access
) -> FloatArray:
    """Energy of `nbytes` whose Σ √distance over the bytes is `byte_root_distance` (√bytes).

    The wire model is linear in these two sums, so exact sums kept beside a binned histogram
    give exact energies: bytes · access + Σ√d · factor · √area · transport, one way.
    """
    wire = _wire(profile)
    cell = wire.access_read if access == "read" else wire.access_write
    millimetres = (
        np.asarray(byte_root_distance, dtype=np.float64)
        * wire.distance_factor.value
        * math.sqrt(wire.area.mm2_per_byte())
    )
    energy = np.asarray(nbytes, dtype=np.float64) * cell.energy_per_byte(
        profile.energy_unit
    ) + millimetres * wire.transport.energy_per_byte_mm(profile.energy_unit)
    return np.asarray(energy * profile.result_scale, dtype=np.float64)


def wire_millimetres(profile: Profile, distance_bytes: npt.ArrayLike) -> FloatArray:
    """One-way wire length in mm to a byte at stack distance `distance_bytes`."""
    wire = _wire(profile)
    area = np.asarray(distance_bytes, dtype=np.float64) * wire.area.mm2_per_byte()
    return np.asarray(wire.distance_factor.value * np.sqrt(area), dtype=np.float64)


def commute_to_compute(movement: npt.ArrayLike, compute: npt.ArrayLike) -> FloatArray:
    """Movement energy over compute energy, dimensionless; both in one unit.

    Infinite where bytes move and nothing is computed (a gather), NaN where neither happens.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.divide(
            np.asarray(movement, dtype=np.float64), np.asarray(compute, dtype=np.float64)
        )
    return np.asarray(ratio, dtype=np.float64)


def joules_or_nan(profile: Profile, energy: float) -> float:
    """`energy` for a joule column: itself under a pJ profile, NaN under a relative one."""
    return float(energy) if profile.energy_unit == "pJ" else math.nan


def _with_energies(
    profile: Profile, frame: pd.DataFrame, read: FloatArray, written: FloatArray
) -> pd.DataFrame:
    return frame.assign(
        **{
            profile.column("read"): read,
            profile.column("written"): written,
            profile.column("movement"): read + written,
        }
    )


def _wire(profile: Profile) -> Wire:
    if profile.wire is None:
        if profile.grid is not None:
            raise PricingError(f"profile {profile.name} prices hops on a grid, not a wire")
        raise PricingError(
            f"profile {profile.name} prices levels ({', '.join(profile.level_names)}), not"
            " distances; give movement_energy the bytes served per level"
        )
    return profile.wire


def _require(frame: pd.DataFrame, *columns: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise PricingError(f"no column {missing[0]!r}; pricing needs {', '.join(columns)}")


def _counts(frame: pd.DataFrame, *columns: str) -> FloatArray:
    counts = frame[list(columns)].to_numpy(dtype=np.float64)
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise PricingError(
            f"a negative or missing count in {', '.join(columns)}; counts are numbers >= 0"
        )
    return counts
