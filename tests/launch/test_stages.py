"""A stage's run folder belongs to the recipe and the parent that it was begun with."""

from vaak.launch.stages import claim_run


def test_a_run_of_other_inputs_is_moved_aside(tmp_path):
    run = tmp_path / "stages" / "sft"
    assert claim_run(run, {"recipe": "a", "parent": "p"}) is None
    (run / "DONE.json").write_text("{}")
    assert claim_run(run, {"recipe": "a", "parent": "p"}) is None and (run / "DONE.json").exists()

    moved = claim_run(run, {"recipe": "b", "parent": "p"})
    assert moved is not None and moved == run.with_name("sft.replaced-1") and (moved / "DONE.json").exists()
    assert not (run / "DONE.json").exists()
    assert claim_run(run, {"recipe": "b", "parent": "q"}) == run.with_name("sft.replaced-2")


def test_a_run_of_nobody_is_moved_aside_too(tmp_path):
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "DONE.json").write_text("{}")
    assert claim_run(tmp_path / "sft", {"recipe": "a", "parent": None}) == tmp_path / "sft.replaced-1"
