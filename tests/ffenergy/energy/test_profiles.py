"""The bundled profiles, and every way in which a profile file can be wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ffenergy.energy import (
    Certainty,
    PricingError,
    ProfileError,
    load_profile,
    parse_profiles,
    profiles,
)

CONSTANT = (
    '{{ value = {value}, unit = "{unit}", source = "book", certainty = "memory", note = "n" }}'
)


def constant(value, unit):
    return CONSTANT.format(value=value, unit=unit)


GOOD = f"""
[sources]
book = "A book, 2020, p. 7"
[profiles.mine]
title = "Mine"
process = "5 nm"
energy_unit = "pJ"
level_energy = "total"
convention = "none"
compute_as = {{ bool = "float32" }}
[profiles.mine.compute.float32]
add = {constant(1, "pJ")}
multiply = {constant(4, "pJ")}
special = {constant(16, "pJ")}
[[profiles.mine.levels]]
name = "near"
capacity = {constant(1, "KiB")}
read = {constant(8, "pJ/64bit")}
write = {constant(3, "pJ/B")}
[[profiles.mine.levels]]
name = "far"
read = {constant(2, "pJ/bit")}
write = {constant(40, "pJ/32bit")}
"""


def test_the_required_profiles_are_there():
    assert set(profiles()) >= {
        "horowitz-45nm",
        "jouppi-7nm-hbm2",
        "eyeriss-relative",
        "a100-measured",
        "dally-wire",
    }


@pytest.mark.parametrize("name", sorted(profiles()))
def test_every_number_has_unit_source_certainty_and_note(name):
    table = load_profile(name).table()
    assert (table["value"] > 0).all()
    assert (table[["unit", "source", "note"]].map(len) > 0).all(axis=None)
    assert set(table["certainty"]) <= set(Certainty)
    assumed = table["source"].str.startswith("no source")
    assert (table.loc[assumed, "certainty"] == "assumed").all()


@pytest.mark.parametrize("name", sorted(profiles()))
@pytest.mark.parametrize(
    "dtype", "float32 float64 float16 int32 int64 uint64 bool uint8 int16 uint16".split()
)
def test_every_profile_prices_the_dtypes_that_training_meets(name, dtype):
    assert load_profile(name).operations(dtype).special.value > 0


def test_source_figures_become_energies_a_byte():
    # 64-bit accesses: 10, 20, 100 pJ over 8 bytes; DRAM (1300 + 2600) / 2 / 8.
    levels = load_profile("horowitz-45nm").levels
    assert [level.read_per_byte for level in levels] == [1.25, 2.5, 12.5, 243.75]
    # HBM2: (250 + 450) / 2 / 8
    assert load_profile("jouppi-7nm-hbm2").levels[-1].read_per_byte == 43.75
    # 200 MAC a word of 4 bytes
    assert load_profile("eyeriss-relative").levels[-1].read_per_byte == 50
    assert load_profile("horowitz-45nm").capacities_bytes == (8192, 32768, 1048576)


def test_increments_add_up_over_the_levels_passed():
    # 1.59, 4.71, 13.11 pJ/bit: 8 · 1.59, 8 · 6.30, 8 · 19.41 pJ/B
    read = [level.read_per_byte for level in load_profile("a100-measured").levels]
    assert read == pytest.approx([12.72, 50.4, 155.28])


@pytest.mark.parametrize("name", ["horowitz-45nm", "jouppi-7nm-hbm2", "dally-wire"])
def test_special_operations_are_the_stated_multiple_of_a_multiplication(name):
    for operations in load_profile(name).compute.values():
        ratio = operations.special.energy("pJ") / operations.multiply.energy("pJ")
        assert ratio == pytest.approx(7.1, rel=1e-4)


def test_an_eyeriss_multiply_add_is_one_mac_in_a_column_of_macs():
    eyeriss = load_profile("eyeriss-relative")
    operations = eyeriss.operations("float32")
    assert operations.add.value + operations.multiply.value == 1
    assert eyeriss.column("compute") == "energy_compute_macs"


def test_a_dtype_without_a_price_is_refused_not_free():
    with pytest.raises(PricingError, match=r"no energies for dtype 'complex64'.*add"):
        load_profile("horowitz-45nm").operations("complex64")


def test_profiles_are_frozen():
    profile: Any = load_profile("horowitz-45nm")
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.name = "other"
    with pytest.raises(TypeError):
        profile.compute["float32"] = None


def test_a_users_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    mine = load_profile(path)
    assert mine == load_profile(str(path))
    assert mine.name == "mine"
    # 8 pJ / 8 B; 3 pJ/B; 2 pJ · 8 bits; 40 pJ / 4 B
    assert [(lvl.read_per_byte, lvl.write_per_byte) for lvl in mine.levels] == [(1, 3), (16, 10)]
    assert mine.operations("bool") is mine.operations("float32")


def test_unknown_name_lists_the_choices(tmp_path):
    with pytest.raises(ProfileError, match=r"nowhere.*choose one of horowitz-45nm"):
        load_profile("nowhere")


def test_a_file_of_two_profiles_is_refused(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(
        GOOD + GOOD.partition('2020, p. 7"\n')[2].replace("profiles.mine", "profiles.other"),
        encoding="utf-8",
    )
    with pytest.raises(ProfileError, match=r"holds 2 profiles \(mine, other\); keep one"):
        load_profile(path)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(path)


FAR = '[[profiles.mine.levels]]\nname = "far"'
MIDDLE = f"""[[profiles.mine.levels]]
name = "middle"
capacity = {constant(1024, "B")}
read = {constant(1, "pJ/B")}
write = {constant(1, "pJ/B")}
"""
WRONG = {
    "duplicate key": ('title = "Mine"', 'title = "Mine"\ntitle = "Mine"', "not valid TOML"),
    "unknown key": ('title = "Mine"', 'title = "Mine"\ncolour = "red"', "colour: unknown key"),
    "unknown constant key": ('note = "n"', 'note = "n", page = 3', r"add\.page: unknown key"),
    "missing convention": ('convention = "none"\n', "", r"mine\.convention: missing"),
    "missing operation": (f"special = {constant(16, 'pJ')}\n", "", "special: missing.*never.*zero"),
    "missing unit": ('unit = "pJ", ', "", r"add\.unit: missing"),
    "missing read": (f"read = {constant(2, 'pJ/bit')}\n", "", r"levels\[2\]\.read: missing"),
    "missing capacity": (f"capacity = {constant(1, 'KiB')}\n", "", r"levels\[1\]\.capacity: miss"),
    "capacity on the last": (
        FAR,
        f"{FAR}\ncapacity = {constant(1, 'MiB')}",
        r"levels\[2\]\.capacity: unknown key",
    ),
    "capacities not increasing": (
        FAR,
        MIDDLE + FAR,
        r"levels\[2\]\.capacity: 1024 B is not larger",
    ),
    "capacity in half bytes": (constant(1, "KiB"), constant(1.5, "B"), "whole number of bytes"),
    "capacity in joules": (constant(1, "KiB"), constant(1, "pJ"), "unit 'pJ' does not fit: use B"),
    "wrong operation unit": (constant(4, "pJ"), constant(4, "J"), r"multiply: unit 'J'.*use pJ"),
    "relative among pJ": (constant(4, "pJ"), constant(4, "MAC"), "unit 'MAC' does not fit"),
    "wrong byte unit": (constant(3, "pJ/B"), constant(3, "pJ"), r"write: unit 'pJ'.*use pJ/B"),
    "word without word_bytes": (constant(3, "pJ/B"), constant(3, "pJ/word"), "does not fit"),
    "negative": (constant(4, "pJ"), constant(-4, "pJ"), r"multiply\.value: is -4;.*greater"),
    "zero": (constant(4, "pJ"), constant(0, "pJ"), r"multiply\.value: is 0;.*greater than zero"),
    "nan": (constant(4, "pJ"), constant("nan", "pJ"), "is nan; give a finite number"),
    "infinite": (constant(4, "pJ"), constant("inf", "pJ"), "is inf; give a finite number"),
    "a number too large for a float": (
        constant(4, "pJ"),
        constant("9" * 401, "pJ"),
        "is inf; give",
    ),
    "energies without end": (constant(4, "pJ"), constant(1e308, "pJ"), "is 1e\\+308;.*to 1e\\+30"),
    "next to nothing": (constant(4, "pJ"), constant(1e-320, "pJ"), "e-321;.*from 1e-30"),
    "a number of too many digits": (constant(4, "pJ"), constant("9" * 5001, "pJ"), "many digits"),
    "tables without end": ('title = "Mine"', f"title = {'[' * 5000}", "nested too deeply"),
    "capacity of no memory": (
        constant(1, "KiB"),
        constant(1e30, "B"),
        "capacity: 1e\\+30 B is more",
    ),
    "text for a number": (constant(4, "pJ"), constant('"4"', "pJ"), "is '4', not a number"),
    "true for a number": (constant(4, "pJ"), constant("true", "pJ"), "is True, not a number"),
    "number for a table": (constant(4, "pJ"), "4", r"float32\.multiply: is int, not a table"),
    "unknown source": ('"book"', '"scroll"', r"'scroll' is not in \[sources\]; add"),
    "unknown certainty": ('"memory"', '"sure"', "is 'sure'; use one of confirmed, secondary"),
    "empty note": ('note = "n"', 'note = " "', "note: is ' ', not text"),
    "one end of a range": ("value = 4", "value = 4, low = 3", "give both low and high, or neither"),
    "value outside its range": ("value = 4", "value = 4, low = 5, high = 6", "outside low to high"),
    "energy unit": ('energy_unit = "pJ"', 'energy_unit = "eV"', "energy_unit: is 'eV'; use pJ"),
    "level energy": ('"total"', '"sum"', "level_energy: is 'sum'; use total or increment"),
    "no level energy": ('level_energy = "total"\n', "", "level_energy: missing"),
    "level named twice": ('name = "far"', 'name = "near"', "'near' is used twice"),
    "level name": ('name = "far"', 'name = "Far away"', "use lower-case letters"),
    "dtype served by none": ('bool = "float32"', 'bool = "int8"', r"compute_as\.bool: = 'int8'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_schema_errors_name_file_key_and_remedy(case):
    old, new, message = WRONG[case]
    assert old in GOOD
    with pytest.raises(ProfileError, match=message) as caught:
        parse_profiles(GOOD.replace(old, new, 1), "mine.toml")
    assert caught.value.message.startswith("mine.toml: ")
    assert ";" in caught.value.message or "correct" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_needs_sources_only_for_what_names_one(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('\ufeff[profiles.mine]\nbased_on = "dally-wire"\ntitle = "with a mark"\n')
    assert load_profile(path).title == "with a mark"


@pytest.mark.parametrize("text", ["", "[profiles]"])
def test_a_file_without_a_profile_is_refused(text):
    with pytest.raises(ProfileError, match=r"profiles: is missing or empty; add a table"):
        parse_profiles(text, "mine.toml")


def test_a_profile_without_a_memory_is_refused():
    text = GOOD.partition("[[profiles.mine.levels]]")[0]
    with pytest.raises(ProfileError, match="needs one of levels, wire and grid"):
        parse_profiles(text, "mine.toml")


def test_levels_must_be_a_list_of_tables():
    text = GOOD.partition("[[profiles.mine.levels]]")[0]
    text = text.replace('level_energy = "total"', 'level_energy = "total"\nlevels = 3')
    with pytest.raises(ProfileError, match=r"mine\.levels: is not a list of tables; write \[\["):
        parse_profiles(text, "mine.toml")


WIRE = (
    GOOD.partition("[[profiles.mine.levels]]")[0].replace('level_energy = "total"\n', "")
    + f"""
[profiles.mine.wire]
transport = {constant(100, "fJ/bit/mm")}
access_read = {constant(1, "pJ/B")}
access_write = {constant(2, "pJ/B")}
area = {constant(1, "um2/B")}
distance_factor = {constant(2, "1")}
"""
)


def test_a_wire_model_of_the_users():
    wire = parse_profiles(WIRE, "mine.toml")["mine"].wire
    assert wire.transport.energy_per_byte_mm("pJ") == pytest.approx(0.8)  # 100 fJ · 8 bits
    assert wire.area.mm2_per_byte() == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fJ/bit/mm", "fJ/bit", "transport: unit 'fJ/bit' does not fit"),
        ("um2/B", "mm", r"area: unit 'mm' does not fit: use mm2/B, um2/B, Mb/mm2"),
        ('unit = "1"', 'unit = "mm"', "distance_factor: unit 'mm' does not fit"),
        ("access_write", "access_written", "access_written: unknown key"),
        ('convention = "none"', 'convention = "none"\nlevel_energy = "total"', "no meaning"),
    ],
)
def test_wire_schema_errors(old, new, message):
    with pytest.raises(ProfileError, match=message):
        parse_profiles(WIRE.replace(old, new, 1), "mine.toml")
