"""The evaluation of a launch: a sidecar beside it that scores checkpoints while training goes on, or one on another machine."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from vaak.codec import open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import CheckFailed, Interrupted
from vaak.evaluate import open_results, start_sidecar, summary
from vaak.evaluate.database import is_address, shown
from vaak.evaluate.generations import DECODING
from vaak.launch.gates import pack_folder
from vaak.launch.publisher import targets_of
from vaak.launch.report_speech import open_speech
from vaak.launch.stages import run_folder
from vaak.launch.walk import Launch
from vaak.track import chosen_trackers

_POLL_SECONDS = {"beside": 0.5, "elsewhere": 10.0}


class Follower:
    """Starts the sidecar when the first followed stage begins, waits for it at the end, never leaves it behind.

    With `evaluate.where: elsewhere` it starts none and waits for what another machine writes to the database.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.process: subprocess.Popen | None = None
        self.stop_file = launch.out / "sidecar.stop"
        self.elsewhere = launch.project.evaluate.where == "elsewhere"

    def start(self, threads: int = 1) -> None:
        """Start the sidecar unless it runs, on one core while training has the others."""
        if self.elsewhere or (self.process is not None and self.process.poll() is None):
            return
        self.stop_file.unlink(missing_ok=True)
        project, out = self.launch.project, self.launch.out
        evaluation = project.evaluate
        self.process = start_sidecar(
            [run_folder(self.launch, stage) for stage in dict.fromkeys((*evaluation.follow, evaluation.final))],
            pack_folder(self.launch),
            self.launch.db,
            stop_file=self.stop_file,
            codec=project.codec,
            full=[evaluation.final],
            every=evaluation.every,
            threads=threads,
            track=project.trackers,
            log=out / "sidecar.log",
        )

    def finish(self) -> dict[str, Any]:
        """Wait until everything is scored; returns the evidence of the evaluation.

        Raises `CheckFailed` if the sidecar could not score the final checkpoint, and `Interrupted` when asked to stop.
        """
        launch, pack = self.launch, open_pack(pack_folder(self.launch))
        if self.elsewhere:
            launch.console.line(f"on the other machine: {self.command()}")
        else:
            self.end()  # training is over and its cores are free: what was begun goes on with all of them
            self.start(threads=os.cpu_count() or 1)
            self.stop_file.touch()  # end when nothing is left
        with launch.console.progress("evaluate") as bar:
            while not self._over(pack):
                if launch.stop():
                    raise Interrupted("stopped while checkpoints were scored; it goes on from there")
                bar(self._scored(pack.id), len(pack.prompts), "prompts of the final checkpoint")
                time.sleep(_POLL_SECONDS[launch.project.evaluate.where])
        return self._evidence(pack)

    def command(self) -> str:
        """What has to run on the other machine, which has the pack in the folder `pack`."""
        launch, evaluation = self.launch, self.launch.project.evaluate
        stages = [s for s in launch.project.stages if s.name in (*evaluation.follow, evaluation.final)]
        places = [targets_of(launch, stage).get("to", str(run_folder(launch, stage.name))) for stage in stages]
        full = places[[stage.name for stage in stages].index(evaluation.final)]
        track = "".join(f" --track {choice}" for choice in chosen_trackers(launch.project.track))
        return (
            f"vaak sidecar {' '.join(places)} --pack pack --db {shown(launch.db)} --codec {launch.project.codec} "
            f"--every {evaluation.every} --full {full}{track}"
        )

    def end(self) -> None:
        """End the sidecar if it still runs; what it was doing is continued by the next one."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _over(self, pack: GoldPack) -> bool:
        """Whether nothing more is to be waited for: the sidecar has ended, or the other machine's full evaluation is there."""
        if not self.elsewhere:
            assert self.process is not None
            return self.process.poll() is not None
        return self._scored_in_full(pack)

    def _scored_in_full(self, pack: GoldPack) -> bool:
        results = open_results(self.launch.db)
        try:
            found = results.finished(pack.id)
        finally:
            results.close()
        return any(one["checkpoint_id"] == self._final() and one["level"] == "full" for one in found)

    def _final(self) -> str:
        return self.launch.evidence(self.launch.project.evaluate.final)["checkpoint"]

    def _scored(self, pack_id: str) -> int:
        if not is_address(self.launch.db) and not Path(self.launch.db).exists():
            return 0
        results = open_results(self.launch.db)
        # What an earlier evaluation drew in another way does not count.
        rows = [one for one in results.read(self._final(), pack_id) if one.metric_version.endswith(f"+{DECODING}")]
        scored = len({one.item for one in rows})
        results.close()
        return scored

    def _evidence(self, pack: GoldPack) -> dict[str, Any]:
        launch, final = self.launch, self._final()
        speech = open_speech(launch.db, pack, open_codec(launch.project.codec), final)
        # A quick look at it, from when it was only followed, is no evaluation on the whole pack.
        if speech is None or not self._scored_in_full(pack):
            raise CheckFailed(
                f"the sidecar ended without scoring {final} on the whole pack; its reasons are in "
                f"{launch.out / 'sidecar.log'}: mend them and run again"
            )
        whole = summary(speech.results, final, pack.id)["all"]
        english = {name: round(rate.rate, 4) for name, rate in speech.english.items()}
        words = ", ".join(f"{name} {rate:.2f}" for name, rate in english.items())
        launch.console.line(
            f"English word error rate: {words or 'not measured'}; stopped by itself {whole['stop_rate']:.1%}"
        )
        return {
            "checkpoint": final,
            "pack": pack.id,
            "wer": english,
            "stop_rate": whole["stop_rate"],
            "asr": speech.recogniser,
        }
