"""The sidecar of a launch: a second process that scores checkpoints while training goes on, and ends with the launch."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from vaak.codec import open_codec
from vaak.corpus.pack import open_pack
from vaak.errors import CheckFailed, Interrupted
from vaak.evaluate import open_results, start_sidecar, summary
from vaak.evaluate.generations import DECODING
from vaak.launch.gates import pack_folder
from vaak.launch.report_speech import open_speech
from vaak.launch.stages import run_folder
from vaak.launch.walk import Launch

# Between two checkpoints of a run that get a quick look; every run's last one gets one besides.
LOOK_EVERY = 1000


class Follower:
    """Starts the sidecar when the first followed stage begins, waits for it at the end, never leaves it behind."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.process: subprocess.Popen | None = None
        self.stop_file = launch.out / "sidecar.stop"

    def start(self, threads: int = 1) -> None:
        """Start the sidecar unless it runs, on one core while training has the others."""
        if self.process is not None and self.process.poll() is None:
            return
        self.stop_file.unlink(missing_ok=True)
        evaluation, out = self.launch.project.evaluate, self.launch.out
        self.process = start_sidecar(
            [run_folder(self.launch, stage) for stage in dict.fromkeys((*evaluation.follow, evaluation.final))],
            pack_folder(self.launch),
            out / "results.db",
            stop_file=self.stop_file,
            codec=self.launch.project.codec,
            full=[evaluation.final],
            every=LOOK_EVERY,
            threads=threads,
            log=out / "sidecar.log",
        )

    def finish(self) -> dict[str, Any]:
        """Wait until the sidecar has scored everything; returns the evidence of the evaluation.

        Raises `CheckFailed` if it could not score the final checkpoint, and `Interrupted` when asked to stop.
        """
        launch = self.launch
        self.end()  # training is over and its cores are free: what was begun goes on with all of them
        self.start(threads=os.cpu_count() or 1)
        assert self.process is not None
        self.stop_file.touch()  # end when nothing is left
        with launch.console.progress("evaluate") as bar:
            pack = open_pack(pack_folder(launch))
            while self.process.poll() is None:
                if launch.stop():
                    raise Interrupted("stopped while the sidecar was scoring; it goes on from there")
                bar(self._scored(pack.id), len(pack.prompts), "prompts of the final checkpoint")
                time.sleep(0.5)
        return self._evidence(pack)

    def end(self) -> None:
        """End the sidecar if it still runs; what it was doing is continued by the next one."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _final(self) -> str:
        return self.launch.evidence(self.launch.project.evaluate.final)["checkpoint"]

    def _scored(self, pack_id: str) -> int:
        path = self.launch.out / "results.db"
        if not path.exists():
            return 0
        results = open_results(path)
        # What an earlier evaluation drew in another way does not count.
        rows = [one for one in results.read(self._final(), pack_id) if one.metric_version.endswith(f"+{DECODING}")]
        scored = len({one.item for one in rows})
        results.close()
        return scored

    def _evidence(self, pack: Any) -> dict[str, Any]:
        launch, final = self.launch, self._final()
        speech = open_speech(launch.out, pack, open_codec(launch.project.codec), final)
        if speech is None:
            raise CheckFailed(
                f"the sidecar ended without scoring {final}; its reasons are in {launch.out / 'sidecar.log'}"
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
