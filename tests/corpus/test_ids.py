"""A set of ids that does not stay in memory answers as a Python set would."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.corpus.ids import SeenIds


@settings(max_examples=40)
@given(batches=st.lists(st.lists(st.integers(0, 60).map(str), max_size=30), max_size=12), data=st.data())
def test_it_is_a_set(tmp_path_factory, batches, data):
    """In batches and one by one, over runs on disk and continued from a save, whatever was added after that save."""
    folder = tmp_path_factory.mktemp("ids")
    ids, known = SeenIds(folder, in_memory=8), set()
    for batch in batches:
        again = []
        for one in batch:
            again.append(one in known)
            known.add(one)
        if data.draw(st.booleans()):
            assert ids.add_all(batch).tolist() == again
        else:
            for one, seen in zip(batch, again, strict=True):
                assert (one in ids) == seen
                ids.add(one)
        if data.draw(st.booleans()):
            saved = ids.save()
            ids.add_all(["after the save", *map(str, range(100, 120))])
            ids.save()
            ids = SeenIds(folder, saved, in_memory=8)
    assert all((str(i) in ids) == (str(i) in known) for i in range(130))


def test_ids_leave_memory(tmp_path):
    ids = SeenIds(tmp_path, in_memory=1000)
    for start in range(0, 20_000, 500):
        assert not ids.add_all([f"sample-{i}" for i in range(start, start + 500)]).any()
    assert sum(run.shape[1] for run in ids._held) < 1000
    assert len(list(tmp_path.glob("run-*.npy"))) == 20
    assert ids.add_all(["sample-0", "new", "sample-19999", "new"]).tolist() == [True, False, True, True]
