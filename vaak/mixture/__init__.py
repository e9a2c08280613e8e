"""The wanted token mass: budgets, plans, the order of rows, packing, and the loader."""

from vaak.mixture.batch import PackedBatch, RealisedMass, realised_mass
from vaak.mixture.cells import Cell
from vaak.mixture.loader import open_loader
from vaak.mixture.plan import Plan, PlannedCell, check_unchanged, load_plan
from vaak.mixture.row_reader import RowReader
from vaak.mixture.settings import MixtureSettings
from vaak.mixture.solve import solve_plan

__all__ = [
    "Cell",
    "MixtureSettings",
    "PackedBatch",
    "Plan",
    "PlannedCell",
    "RealisedMass",
    "RowReader",
    "check_unchanged",
    "load_plan",
    "open_loader",
    "realised_mass",
    "solve_plan",
]
