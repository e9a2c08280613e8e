"""The benchmark runner collects what benchmarks write, and says which of them died."""

from __future__ import annotations

import json

import pytest

from benchmarks.run import benchmark_names, main

FIGURE = {"name": "speed", "value": 2.5, "unit": "×", "want": "≥ 2", "holds": True, "against": "a plain loop | numpy"}


def benchmark(folder, name: str, figures, code: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    text = "" if figures is None else f"import pathlib; pathlib.Path(sys.argv[2]).write_text({json.dumps(figures)!r})\n"
    (folder / f"{name}.py").write_text(f"import sys\nassert sys.argv[1] == '--json'\n{text}sys.exit({code})\n")


def test_figures_are_collected_into_one_page(tmp_path):
    folder = tmp_path / "benchmarks"
    benchmark(folder, "order", [FIGURE])
    benchmark(folder, "loader", [FIGURE | {"name": "rows", "value": 7}])
    assert main([], folder) == 0
    page = (tmp_path / "docs" / "figures.md").read_text()
    assert page.index("## loader") < page.index("## order")
    assert "| speed | 2.5 × | ≥ 2 | yes | a plain loop \\| numpy |" in page and "| rows | 7 × |" in page


@pytest.mark.parametrize(
    "figures,code,words",
    [
        ([FIGURE | {"holds": False}], 1, "**no**"),
        (None, 0, "wrote no readable figures"),
        ([], 0, "wrote no figure"),
        ([{"name": "speed"}], 0, "without value, unit, want, holds, against"),
        ([FIGURE], 3, "exit code 3"),
    ],
)
def test_what_does_not_hold_or_dies_is_said_and_ends_in_1(tmp_path, figures, code, words):
    benchmark(tmp_path / "benchmarks", "order", figures, code)
    assert main([], tmp_path / "benchmarks") == 1
    assert words in (tmp_path / "docs" / "figures.md").read_text()


def test_a_named_benchmark_runs_alone_and_writes_nothing(tmp_path):
    benchmark(tmp_path / "benchmarks", "order", [FIGURE])
    benchmark(tmp_path / "benchmarks", "broken", None)
    assert main(["order"], tmp_path / "benchmarks") == 0
    assert not (tmp_path / "docs").exists()
    assert main(["nothing"], tmp_path / "benchmarks") == 2
    assert benchmark_names(tmp_path / "benchmarks") == ["broken", "order"]
