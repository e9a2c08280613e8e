"""Training a codec: it learns, continues exactly, and refuses what is no audio."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.storage.killed import killed
from vaak.cli.main import main
from vaak.codec import open_codec, read_audio, write_audio
from vaak.codec.crops import Cutter, choose, cut
from vaak.codec.listing import list_audio
from vaak.codec.losses import Critic, SpectralLoss
from vaak.codec.material import open_material, prepare
from vaak.codec.settings import CodecRecipe, NetworkSettings, Variation
from vaak.codec.train import train_codec
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.storage.files import write_json
from vaak.track.jsonl import read_jsonl

CPU = torch.device("cpu")

SMALL = {
    "levels": [4, 4, 4], "encoder_width": 16, "encoder_blocks": 1, "decoder_width": 16, "decoder_blocks": 1,
    "fine_width": 16, "fine_blocks": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, speechlike):
    folder = tmp_path_factory.mktemp("recordings")
    for number, seconds in enumerate((2.0, 1.1, 0.3)):
        write_audio(folder / f"{number}.wav", speechlike(seconds, number), 16000)
    return folder


@pytest.fixture
def recipe(recordings):
    def make(**changes) -> CodecRecipe:
        tree = {
            "name": "small", "audio": [str(recordings)], "network": SMALL, "steps": 4, "batch": 2, "crop": 6400,
            "precision": "fp32", "critic": {"joins": 0.5},
        }  # fmt: skip
        return CodecRecipe.model_validate(tree | changes)

    return make


@pytest.fixture
def one_thread():
    """Sums over two threads may be grouped anew, and Adam enlarges the last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def quiet(_: str) -> None:
    pass


def weights(folder):
    return load_file(folder / "model.safetensors")


def test_an_interrupted_training_ends_where_a_straight_one_does(recipe, tmp_path, one_thread):
    straight = train_codec(recipe(), tmp_path / "a", say=quiet)
    asked, said = iter([False] * 4 + [True]), []  # twice while files are read
    with pytest.raises(Interrupted, match="before step 3 of 4"):
        train_codec(recipe(), tmp_path / "b", stop=lambda: next(asked), say=quiet)
    resumed = train_codec(recipe(), tmp_path / "b", say=said.append)
    assert "continues at step 2" in said
    first, second = weights(straight), weights(resumed)
    assert all(torch.equal(first[key], second[key]) for key in first)
    state = [load_file(tmp_path / name / "state.safetensors") for name in "ab"]
    assert all(torch.equal(state[0][key], state[1][key]) for key in state[0])


@pytest.mark.slow
def test_it_learns_and_what_it_wrote_can_be_opened(recipe, recordings, tmp_path, speechlike):
    write_audio(tmp_path / "apart.wav", speechlike(2.0, 9), 16000)
    write_audio(tmp_path / "brief.wav", speechlike(0.03, 9), 16000)  # shorter than a window of the losses
    wave = read_audio(recordings / "0.wav")[:32000]

    def distance(folder) -> float:
        codec = open_codec(folder)
        assert codec.codebook_size == 64
        decoded = codec.decode(codec.encode(wave))
        return float(SpectralLoss()(torch.from_numpy(decoded)[None], torch.from_numpy(wave)[None])[0])

    how = {
        "steps": 120,
        "critic": {"joins": 0.8},
        "ema": 0.9,
        "held_out": [str(tmp_path / "apart.wav"), str(tmp_path / "brief.wav")],
        "measure_every": 60,
    }
    trained = train_codec(recipe(**how), tmp_path / "long", say=quiet)
    untrained = train_codec(recipe(steps=1), tmp_path / "short", say=quiet)
    assert distance(trained) < 0.85 * distance(untrained)
    rows = list(read_jsonl(tmp_path / "long" / "metrics.jsonl"))
    trained_rows, measured = ([row for row in rows if name in row] for name in ("mel", "held_out/mel"))
    assert "critic" not in trained_rows[0] and "critic" in trained_rows[-1]
    assert [row["step"] for row in measured] == [60, 120]
    assert measured[1]["held_out/mel"] < measured[0]["held_out/mel"]
    assert 0 < measured[1]["held_out/used"] <= 1 and 0 < measured[1]["held_out/entropy"] <= 6


def test_in_bf16_it_takes_nearly_the_same_steps(recipe, tmp_path, one_thread):
    losses = {}
    for precision in ("fp32", "bf16"):
        train_codec(recipe(steps=25, precision=precision), tmp_path / precision, say=quiet)
        [row] = read_jsonl(tmp_path / precision / "metrics.jsonl")
        losses[precision] = row["mel"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.03) and losses["bf16"] != losses["fp32"]


def test_a_resumed_training_has_the_critic_the_prior_and_the_precision_that_it_had(recipe, tmp_path, one_thread):
    first = train_codec(recipe(), tmp_path / "first", say=quiet)
    whole = {"start_from": str(first), "steps": 6, "critic": {"joins": 0}, "precision": "bf16"}
    straight = train_codec(recipe(**whole), tmp_path / "straight", say=quiet)
    asked = iter([False] * 5 + [True])
    with pytest.raises(Interrupted):
        train_codec(recipe(**whole), tmp_path / "run", stop=lambda: next(asked), say=quiet)
    said = []
    # Neither what is measured of the processor nor the share of the steps after which the critic joins is asked again.
    changed = whole | {"precision": "auto", "critic": {"joins": 1}}
    resumed = train_codec(recipe(**changed), tmp_path / "run", say=said.append)
    assert any("bf16 on cpu" in one for one in said)
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("straight", "run"))
    assert all(torch.equal(one[key], other[key]) for key in one) and any(key.startswith("critic_opt") for key in one)
    assert all(torch.equal(weights(straight)[key], weights(resumed)[key]) for key in weights(straight))
    assert json.loads((resumed / "config.json").read_text())["precision"] == "bf16"


def test_files_that_processes_read_come_in_their_order(tmp_path, speechlike):
    """So many that several processes read them; each is as it would be alone."""
    (tmp_path / "many").mkdir()
    for number in range(10):
        write_audio(tmp_path / "many" / f"{number}.wav", speechlike(0.4 + number / 10, number), 16000)
    audio = list_audio([str(tmp_path / "many")])
    material = prepare(audio, tmp_path / "material", 0, 3200, Variation(speed_share=0))
    for path, start in zip(audio, material.starts, strict=True):
        wave = read_audio(path)
        assert np.allclose(material.wave[start : start + len(wave)], wave, atol=2e-4)


def test_every_crop_lies_inside_one_file(recordings, tmp_path):
    material = prepare(list_audio([str(recordings)]), tmp_path, seed=0, shortest=6400)
    assert (material.lengths >= 6400).all() and (material.lengths % 320 == 0).all()
    assert len(material.f0) * 160 == len(material.wave) == material.lengths.sum()
    crops = Cutter(material, 0, Variation(), CPU).crops(0, 16, 6400)
    assert crops.pulses.shape == crops.noise.shape == (16, 6880) and crops.f0.shape == crops.voiced.shape == (16, 40)
    again = Cutter(material, 0, Variation(), CPU).crops(0, 16, 6400)
    numbered = replace(material, wave=np.repeat(np.arange(1.0, 4.0), material.lengths).astype(np.float16))
    for row in Cutter(numbered, 1, Variation(level_share=0, noise_share=0), CPU).crops(0, 64, 6400).target:
        assert len(set(row.tolist())) == 1
    assert np.array_equal(crops.heard, again.heard) and np.array_equal(crops.noise, again.noise)


def test_without_variation_what_is_heard_is_the_file(recordings, tmp_path):
    plain = Variation(speed_share=0, level_share=0, noise_share=0)
    audio = list_audio([str(recordings)])
    material = prepare(audio, tmp_path, 0, 6400, plain)
    wave = read_audio(audio[1])
    start, length = int(material.starts[1]), len(wave)
    assert np.allclose(material.wave[start : start + length], wave, atol=2e-4)
    crops = Cutter(material, 0, plain, CPU).crops(0, 4, 6400)
    assert np.array_equal(crops.heard, crops.target)


def test_crops_are_cut_as_one_would_cut_them_one_by_one(recordings, tmp_path):
    material = prepare(list_audio([str(recordings)]), tmp_path, 0, 6400)
    choice = choose(material, np.random.default_rng(3), 64, 6400, Variation(noise_share=0.5))
    noise = torch.randn(2, 64, 6880, generator=torch.Generator().manual_seed(0))
    arrays = {name: torch.tensor(np.array(getattr(material, name))) for name in ("wave", "pulses", "f0", "voiced")}
    crops = cut(arrays, choice, 6400, noise)
    padded = np.pad(material.pulses, 240).astype(np.float32)
    for row, start in enumerate(choice.starts):
        target = material.wave[start : start + 6400].astype(np.float32) * choice.gain[row]
        hiss = noise[1, row, 1:6401].numpy() + choice.dull[row] * noise[1, row, :6400].numpy()
        heard = target + hiss * choice.level[row] * np.sqrt(np.square(target).mean())
        first = (start + 80) // 160
        f0 = material.f0[np.minimum(np.arange(first, first + 40), len(material.f0) - 1)]
        assert np.allclose(crops.target[row], target) and np.allclose(crops.heard[row], heard, atol=1e-6)
        assert np.array_equal(crops.pulses[row], padded[start : start + 6880])
        assert np.array_equal(crops.f0[row], f0.astype(np.float32))
    assert 0 < (choice.level > 0).sum() < 64 and 0 < (choice.gain != 1).sum() < 64


def test_interrupted_reading_goes_on_and_ends_the_same(recordings, tmp_path):
    audio = list_audio([str(recordings)])
    whole = prepare(audio, tmp_path / "whole", 0, 6400)

    def stop_at_two(done, of, words):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(audio, tmp_path / "cut", 0, 6400, progress=stop_at_two)
    with open(tmp_path / "cut" / "wave.f16", "ab") as file:  # what a kill leaves of the third
        file.write(b"half a file")
    with pytest.raises(BadInput, match="2 of 3 files"):
        open_material(tmp_path / "cut")
    cut = prepare(audio, tmp_path / "cut", 0, 6400)
    for name in ("wave", "pulses", "f0", "voiced", "starts", "lengths"):
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name


def test_reading_that_is_asked_to_stop_keeps_what_it_has(recipe, tmp_path):
    with pytest.raises(Interrupted, match="after reading 1 of 3 files"):
        train_codec(recipe(), tmp_path / "run", stop=lambda: True, say=quiet)
    assert (train_codec(recipe(), tmp_path / "run", say=quiet) / "model.safetensors").is_file()


def test_held_out_audio_that_is_trained_on_and_folders_that_are_none_are_refused(recipe, recordings, tmp_path):
    with pytest.raises(BadInput, match=r"0.wav is in 'audio' and in 'held_out'"):
        train_codec(recipe(held_out=[str(recordings / "0.wav")]), tmp_path / "run", say=quiet)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be a training's folder"):
        train_codec(recipe(), tmp_path / "file" / "run", say=quiet)


KILLED = """
import sys
from pathlib import Path
from vaak.codec.settings import CodecRecipe
from vaak.codec.train import train_codec
import torch
torch.set_num_threads(1)
print("ready", flush=True)
train_codec(CodecRecipe.model_validate_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), say=lambda _: None)
"""


@pytest.mark.slow
def test_a_killed_training_ends_as_an_undisturbed_one(recipe, tmp_path, one_thread):
    how = recipe(steps=60, save_every=3, crop=3200)
    write_json(tmp_path / "recipe.json", how.model_dump(mode="json"))
    straight = train_codec(how, tmp_path / "straight", say=quiet)
    rng, kills = random.Random(3), 0
    while kills < 4:
        done = not killed(KILLED, [str(tmp_path / "recipe.json"), str(tmp_path / "run")], rng.uniform(0.3, 1.2))
        kills += not done
        if done:
            break
    finished = train_codec(how, tmp_path / "run", say=quiet)
    first, second = weights(straight), weights(finished)
    assert kills and all(torch.equal(first[key], second[key]) for key in first)
    assert not [*(tmp_path / "run").rglob(".*.tmp")]


def test_digital_silence_has_finite_gradients():
    wave = torch.zeros(1, 6400, requires_grad=True)
    mel, linear = SpectralLoss()(wave, torch.zeros(1, 6400))
    verdicts, _ = Critic()(wave)
    (mel + linear + sum(verdict.mean() for verdict in verdicts)).backward()
    assert wave.grad is not None and torch.isfinite(wave.grad).all()


def test_a_training_begins_with_the_weights_of_another_codec(recipe, tmp_path, one_thread):
    never = {"critic": {"joins": 1.0}}
    first = train_codec(recipe(steps=6, **never), tmp_path / "first", say=quiet)
    fresh = train_codec(recipe(steps=1, **never), tmp_path / "fresh", say=quiet)
    second = train_codec(recipe(steps=1, start_from=str(first), **never), tmp_path / "second", say=quiet)

    def distance(one, other) -> float:
        left, right = weights(one), weights(other)
        return sum(float((left[key].float() - right[key].float()).abs().sum()) for key in left)

    assert distance(second, first) < 0.1 * distance(fresh, first)
    assert json.loads((second / "config.json").read_text())["continued"]
    with pytest.raises(BadInput, match="start_from: that codec has another network"):
        train_codec(recipe(network=SMALL | {"levels": [4, 4]}, start_from=str(first)), tmp_path / "other", say=quiet)
    with pytest.raises(BadInput, match=r"start_from: .* holds no codec"):
        train_codec(recipe(start_from=str(tmp_path)), tmp_path / "none", say=quiet)


def test_what_a_run_may_change_and_what_it_may_not(recipe, recordings, tmp_path, speechlike):
    train_codec(recipe(), tmp_path / "run", say=quiet)
    said = []
    train_codec(recipe(steps=6, critic={"joins": 0.2}), tmp_path / "run", say=said.append)
    assert "goes on with another critic.joins, steps" in said
    with pytest.raises(BadInput, match="was begun with another 'seed'"):
        train_codec(recipe(seed=1), tmp_path / "run", say=quiet)
    with pytest.raises(BadInput, match="was begun with another 'network'"):
        train_codec(recipe(network=SMALL | {"fine_blocks": 2}), tmp_path / "run", say=quiet)
    audio = [str(tmp_path / "more")]
    (tmp_path / "more").mkdir()
    write_audio(tmp_path / "more" / "a.wav", speechlike(1.0), 16000)
    train_codec(recipe(audio=audio), tmp_path / "changing", say=quiet)
    write_audio(tmp_path / "more" / "b.wav", speechlike(1.0, 1), 16000)
    with pytest.raises(BadInput, match="was made of other audio"):
        train_codec(recipe(audio=audio, steps=8), tmp_path / "changing", say=quiet)


def test_a_damaged_state_is_said_and_a_training_that_diverges_ends(recipe, tmp_path):
    with pytest.raises(CheckFailed, match="no gradient is finite since step"):
        train_codec(recipe(steps=400, peak_lr=1e30, warmup=1), tmp_path / "wild", say=quiet)
    train_codec(recipe(), tmp_path / "run", say=quiet)
    (tmp_path / "run" / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match=r"state.safetensors cannot be continued from"):
        train_codec(recipe(steps=9), tmp_path / "run", say=quiet)


def test_lists_of_audio(recordings, tmp_path):
    with pytest.raises(BadInput, match="no audio"):
        list_audio([str(tmp_path)])
    with pytest.raises(BadInput, match=r"no audio in .*mistyped"):
        list_audio([str(recordings), str(tmp_path / "mistyped")])
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    with pytest.raises(BadInput, match=r"no audio in .*links"):
        list_audio([str(tmp_path / "links")])
    with pytest.raises(BadInput, match="empty"):
        prepare([], tmp_path, 0, 6400)
    listed = tmp_path / "list.jsonl"
    listed.write_text(json.dumps({"path": str(recordings / "1.wav"), "text": "x"}) + "\n\n")
    assert list_audio([str(listed)]) == [recordings / "1.wav"]
    for row, sentence in (('{"path": "gone.wav"}', "row 1: .*gone.wav is not there"), ("[]", "row 1: is no")):
        listed.write_text(row)
        with pytest.raises(BadInput, match=sentence):
            list_audio([str(listed)])


def test_the_door(recordings, tmp_path, capsys):
    write_json(
        tmp_path / "recipe.yaml", {"name": "x", "audio": [str(recordings)], "network": SMALL, "steps": 2, "batch": 1}
    )
    run = ["codec", "train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as left:
        main([*run, "--set", "crop=6400"])
    assert left.value.code == 0 and "done; the codec is" in capsys.readouterr().out
    assert open_codec(tmp_path / "run" / "codec").codebook_size == 64
    for override, sentence in (
        ("crop=100", "crop 100 is not a multiple of 320"),
        ("network.levels=[256, 257]", "65,792 codes"),
        ("netwrk={}", "did you mean 'network'"),
        ("audio=[]", "audio is empty"),
        ("variation.noise_db=[40, 20]", "upside down"),
        ("seed=-1", "'seed'"),
        ("peak_lr=.inf", "'peak_lr'"),
        ("variation.speed=[0.00001, 1]", "'variation.speed.0'"),
        ("network.levels=[2048, 2]", "'network.levels.0'"),
    ):
        with pytest.raises(SystemExit) as left:
            main([*run, "--set", override])
        said = capsys.readouterr().err
        assert left.value.code == 2 and sentence in said and said.count("\n") == 1, said
    with pytest.raises(SystemExit) as left:
        main(["codec", "train", "embeded", "--out", str(tmp_path / "other")])
    assert left.value.code == 2 and "did you mean 'embedded'?" in capsys.readouterr().err


def test_more_codes_than_a_corpus_can_hold_are_refused():
    assert NetworkSettings(levels=(256, 256)).codebook_size == 65_536
    with pytest.raises(ValueError, match="a codebook has 2 to 65,536"):
        NetworkSettings(levels=(256, 257))
