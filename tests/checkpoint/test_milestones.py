"""A milestone is one commit and one tag on the Hub, whatever fails or dies in between, and never anything but the model."""

import hashlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, close_session
from huggingface_hub.utils import logging as hub_logging

from tests.checkpoint.test_export import make, save_step
from tests.storage.hub import TOKEN, LocalHub
from vaak.checkpoint import export_model, publish_milestone
from vaak.errors import BadInput
from vaak.grammar.tokenizer import train_tokenizer
from vaak.storage.files import sha256_file
from vaak.storage.objects import StorageFailed

REPO = "asha/voice"
EXPORTED = {"README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"}
EXPORTED |= {"tokenizer_config.json", "vocabulary.json"}


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    close_session()
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
    close_session()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with full checkpoints of two steps."""
    folder, tokenizer = tmp_path_factory.mktemp("milestones") / "run", train_tokenizer(["a small text"] * 5, 270)
    for step in (50_000, 100_000):
        save_step(folder, step, make("qwen3", True, tokenizer), tokenizer)
    return folder


@pytest.fixture
def publish(run, tmp_path):
    def work(step=50_000, **more):
        return publish_milestone(run / "checkpoints" / f"step-{step:08d}", REPO, work_folder=tmp_path / "work", **more)

    return work


def published(hub):
    """The commits after the Hub's own first one; each has its tag, and no other tag is there."""
    repository = hub.repositories[REPO]
    commits = repository.commits[1:]
    assert sorted(repository.tags.values()) == sorted(one.id for one in commits)
    return commits


def test_each_milestone_is_one_commit_with_its_tag(hub, run, publish, tmp_path):
    assert publish(notes="It speaks.") == f"{hub.endpoint}/{REPO}/tree/step-00050000"
    assert publish(100_000) == f"{hub.endpoint}/{REPO}/tree/step-00100000"
    first, second = published(hub)
    assert hub.repositories[REPO].private and set(hub.repositories[REPO].tags) == {"step-00050000", "step-00100000"}
    for commit, step in ((first, 50_000), (second, 100_000)):
        source = run / "checkpoints" / f"step-{step:08d}"
        assert set(commit.files) == EXPORTED | {".gitattributes"} and commit.large == {"model.safetensors"}
        assert f"step {step}" in commit.title and f"run/{step}/" in commit.title
        out = export_model(source, tmp_path / str(step), notes="It speaks." if step == 50_000 else None)
        for name in EXPORTED:
            assert sha256_file(out / name) == hashlib.sha256(commit.files[name]).hexdigest(), name
    assert b"It speaks." in first.files["README.md"] and b"It speaks." not in second.files["README.md"]
    everything = [*hub.objects.values(), *(data for one in (first, second) for data in one.files.values())]
    assert not any(b"exp_avg" in data for data in everything)
    assert list((tmp_path / "work").iterdir()) == [] and list((run / "leases").rglob("*.json")) == []


def test_a_milestone_is_downloaded_by_its_tag(hub, run, publish, tmp_path):
    publish()
    publish(100_000)
    api, local = (
        HfApi(endpoint=hub.endpoint, token=TOKEN),
        export_model(run / "checkpoints" / "step-00050000", tmp_path / "x"),
    )
    for name in ("model.safetensors", "README.md"):
        found = api.hf_hub_download(REPO, name, revision="step-00050000", local_dir=tmp_path / "down")
        assert sha256_file(found) == sha256_file(local / name)


def test_what_is_published_is_left_alone(hub, publish, tmp_path):
    publish()
    before = len(hub.requests)
    assert publish(notes="other notes") == f"{hub.endpoint}/{REPO}/tree/step-00050000"
    assert len(published(hub)) == 1 and not any(one.startswith(("POST", "PUT")) for one in hub.requests[before:])


def test_a_repository_that_is_there_keeps_its_visibility_and_what_people_put_there(hub, publish):
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    api.create_repo(REPO, private=False)
    api.create_commit(REPO, [CommitOperationAdd("LICENSE", b"free")], commit_message="by hand")
    publish()
    commits = hub.repositories[REPO].commits
    assert not hub.repositories[REPO].private and len(commits) == 3 and commits[-1].files["LICENSE"] == b"free"


def test_files_of_an_earlier_milestone_go_in_the_same_commit(hub, publish, run):
    publish()
    # As if an earlier version had exported one file more.
    first = hub.repositories[REPO].commits[-1]
    first.files["old.json"] = b"{}"
    object.__setattr__(first, "message", f"{first.message}\n- old.json\n- .gitattributes")
    publish(100_000)
    assert set(published(hub)[-1].files) == EXPORTED | {".gitattributes"}


COMMIT, TAG, PUT, ANY = r"POST .*/commit/", r"POST .*/tag/", r"PUT /objects", "."


@pytest.mark.parametrize("how", [503, "reset", "lost"])
@pytest.mark.parametrize("at", [r"repos/create", r"/refs", r"/commits/", r"/tree/", PUT, r"/preupload/", COMMIT, TAG])
def test_a_fault_that_passes_is_not_noticed(hub, publish, at, how):
    hub.fail(at, how)
    publish()
    assert len(published(hub)) == 1


@pytest.mark.parametrize("at", [COMMIT, TAG])
@pytest.mark.parametrize("how", [503, "reset", "lost"])
def test_a_service_that_breaks_down_is_said_and_the_next_call_finishes(hub, publish, at, how):
    """From the commit or the tag on nothing is answered; with `lost` that one was done all the same."""
    down = False

    def rule(what):
        nonlocal down
        before, down = down, down or re.search(at, what) is not None
        return None if not down else 503 if how == 503 else "reset" if before else how

    hub.rule = rule
    with pytest.raises(StorageFailed, match=r"asha/voice .*publish again"):
        publish()
    repository = hub.repositories[REPO]
    made = len(repository.commits) - 1
    assert made == (at == TAG or how == "lost") and bool(repository.tags) == (at == TAG and how == "lost")
    hub.rule, before = lambda what: None, hub.asked(COMMIT)
    publish()
    assert len(published(hub)) == 1 and hub.asked(COMMIT) - before == 1 - made


def test_a_service_that_is_not_there_is_transient(hub, publish, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StorageFailed, match="cannot be reached"):
        publish()


@pytest.mark.parametrize(
    ("status", "words"), [(401, "HF_TOKEN"), (403, "right to write"), (400, "refused"), (404, "404")]
)
@pytest.mark.parametrize("at", [ANY, COMMIT, r"validate-yaml"])
def test_what_would_fail_again_is_refused_at_once(hub, publish, caplog, capfd, status, words, at):
    caplog.set_level(logging.DEBUG)
    hub_logging.set_verbosity_debug()
    hub.fail(at, status, times=100)
    with pytest.raises(BadInput) as caught:
        publish()
    hub_logging.set_verbosity_warning()
    assert not isinstance(caught.value, StorageFailed) and hub.asked(at) <= 2 + 10 * (at == ANY)
    assert (words in str(caught.value) or status == 400) and "\n" not in str(caught.value)
    told = str(caught.value) + repr(caught.value.__cause__) + caplog.text + "".join(capfd.readouterr())
    assert TOKEN not in told
    assert "X-Amz-Signature" not in told
    hub.rule = lambda what: None
    publish()
    assert len(published(hub)) == 1


def test_too_many_requests_are_transient(hub, publish):
    hub.fail(COMMIT, 429, times=100)
    with pytest.raises(StorageFailed, match="429"):
        publish()


def test_no_token_or_a_wrong_one_is_refused(hub, publish, monkeypatch, tmp_path):
    wrong = "hf_" + "wrong" * 7
    monkeypatch.setenv("HF_TOKEN", wrong)
    with pytest.raises(BadInput, match="does not accept the token") as caught:
        publish()
    assert wrong not in str(caught.value) and hub.repositories == {}
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="needs a token; set HF_TOKEN"):
        publish()


def test_a_tag_of_another_checkpoint_is_refused(hub, publish, tmp_path):
    publish()
    tokenizer = train_tokenizer(["another text"] * 5, 270)
    save_step(tmp_path / "other", 50_000, make("qwen3", True, tokenizer), tokenizer)
    with pytest.raises(BadInput, match=r"tag step-00050000 of run/50000/.*another repository") as caught:
        publish_milestone(tmp_path / "other" / "checkpoints" / "step-00050000", REPO, work_folder=tmp_path)
    assert not isinstance(caught.value, StorageFailed) and len(published(hub)) == 1


def test_a_commit_in_the_same_moment_is_built_upon(hub, publish):
    def meanwhile(what):
        if "/preupload/" in what and len(hub.repositories[REPO].commits) == 1:
            before = hub.repositories[REPO].commits[-1]
            hub.repositories[REPO].add("by hand", "", {**before.files, "LICENSE": b"free"}, frozenset())

    hub.rule = meanwhile
    publish()
    titles = [one.title for one in hub.repositories[REPO].commits]
    assert titles[:2] == ["initial commit", "by hand"] and len(titles) == 3
    assert "LICENSE" in hub.repositories[REPO].commits[-1].files


@pytest.mark.parametrize("name", ["voice", "a/b/c", "/voice", "asha/", "asha/vo ice", "asha/--x"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(hub, run, tmp_path, name):
    with pytest.raises(BadInput, match="owner/name"):
        publish_milestone(run / "checkpoints" / "step-00050000", name, work_folder=tmp_path)
    assert hub.requests == []


PUBLISH = """
import sys
from vaak.checkpoint import publish_milestone
print(publish_milestone(sys.argv[1], sys.argv[2], work_folder=sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("at", "done"), [(PUT, False), (COMMIT, False), (COMMIT, True), (TAG, False)])
def test_a_kill_at_any_moment_leaves_what_the_next_call_finishes(hub, run, publish, tmp_path, at, done):
    """The process dies at a request: before the Hub has done it, or after and before the answer."""
    reached, go_on = threading.Event(), threading.Event()

    def hold(what):
        if re.search(at, what) and not reached.is_set():
            reached.set()
            go_on.wait(60)
            return None if done else "reset"
        return None

    hub.rule = hold
    command = [sys.executable, "-c", PUBLISH, str(run / "checkpoints" / "step-00050000"), REPO, str(tmp_path / "work")]
    process = subprocess.Popen(command, env={**os.environ, "HF_HUB_DISABLE_XET": "1"})
    assert reached.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    requests = len(hub.requests)
    go_on.set()
    time.sleep(0.3)  # what the Hub was asked for is done though nobody waits for it
    assert (tmp_path / "work").is_dir() and len(hub.requests) == requests
    publish()
    assert len(published(hub)) == 1 and list((tmp_path / "work").iterdir()) == []
