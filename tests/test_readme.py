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
    if "ffenergy" in code:
        assert "energy_joules" in printed
        return
    # x @ w reads 100*784*4 + 784*10*4 = 344,960 bytes and writes 100*10*4 = 4,000
    assert "344960" in printed
    assert "4000" in printed
