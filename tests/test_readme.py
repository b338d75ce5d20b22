"""The README's Python runs, and its two commands are the ones that CI and the user type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_python_in_the_readme_runs(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    # x @ w reads 100*784*4 + 784*10*4 = 344,960 bytes and writes 100*10*4 = 4,000
    assert "344960" in printed
    assert "4000" in printed
    # of float32: 784,000 multiply-adds and 1,000 maxima, 1.69 and 0.38 pJ
    assert "energy_joules" in printed
    assert f"{784_000 * 1.69e-12 + 1000 * 0.38e-12:e}" in printed
