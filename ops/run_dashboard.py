"""The dashboard of runs: is it alive, is it fast, is it learning, is it saved, is it evaluated."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from ops.panels import Panels, Query, curves, dashboard, listed, number

_SEE = "\n\nEvery number: docs/metrics.md."
_RUN = 'run=~"$run"'
# The group of machines that the run trains on: what joins it to GPUs that its own exporter knows nothing of.
_ITS_GROUP = f'and on (group) vaak_step{{job="trainer",{_RUN}}}'


def _metric(name: str, more: str = "") -> str:
    return f"{name}{{{_RUN}{more}}}"


def _top() -> Panels:
    good, bad = "green", "red"
    return (
        number("Alive: newest row", "s", f"How long ago the trainer told its newest row. Over 600 s: VaakRunStalled in docs/ops.md.{_SEE}",
               Query(f'time() - vaak_updated_time{{job="trainer",{_RUN}}}'), levels=((None, good), (120, "orange"), (600, bad)),
               none="no trainer answers"),
        number("Alive: step", "locale", f"The newest step that the trainer told.{_SEE}", Query(f'vaak_step{{job="trainer",{_RUN}}}')),
        number("Fast: of its own mean", "percentunit", "Tokens/s of ten minutes over their mean of the last six hours. Below .8: "
               f"VaakThroughputDropped in docs/ops.md.{_SEE}",
               Query(f"{_metric('run:vaak_tokens_per_s:mean10m')} / {_metric('run:vaak_tokens_per_s:mean6h')}"),
               levels=((None, bad), (0.8, "orange"), (0.95, good))),
        number("Learning: loss", "none", f"Mean of five minutes, nats per target token.{_SEE}",
               Query(_metric("run:vaak_loss:mean5m")), decimals=3),
        number("Saved: intervals ago", "none", "Steps since the newest full checkpoint over the steps from one to the next. Over 2: "
               f"VaakCheckpointLate in docs/ops.md.{_SEE}",
               Query(f"{_metric('run:vaak_step:unsaved')} / {_metric('vaak_checkpoint_every')}"),
               levels=((None, good), (1.2, "orange"), (2, bad)), decimals=2),
        number("Evaluated: steps behind", "locale", "The newest complete checkpoint less the newest evaluated one. docs/ops.md: "
               f"VaakSidecarBehind.{_SEE}", Query(_metric("vaak_sidecar_behind")), none="no sidecar answers"),
        listed("Alerts that fire now", "Of these runs, and of machines (which have no run). Each has a section in docs/ops.md.",
               f'ALERTS{{alertstate="firing",{_RUN}}} or ALERTS{{alertstate="firing",run=""}}'),
    )  # fmt: skip


def _fast() -> Panels:
    return (
        curves("Tokens a second", "none", f"Positions of a step over its time, all processes together, with the mean of six hours.{_SEE}",
               Query(_metric("vaak_tokens_per_s")), Query(_metric("run:vaak_tokens_per_s:mean6h"), "{{run}} mean of 6 h"), least=0),
        curves("Targets and audio a second", "none", f"Target tokens a second, and seconds of audio a second.{_SEE}",
               Query(_metric("vaak_targets_per_s"), "{{run}} targets"), Query(_metric("vaak_audio_s_per_s"), "{{run}} s of audio"), least=0),
        curves("Time of a step", "s", f"From asking for its rows to the end of its update, on the first process.{_SEE}",
               Query(_metric("vaak_step_s")), least=0),
        curves("Waiting for data", "percentunit", "Share of a step that the first process waited for its rows. Over .1: VaakDataWait in "
               f"docs/ops.md.{_SEE}", Query(_metric("vaak_data_wait")), levels=((None, "transparent"), (0.1, "orange")), least=0),
        curves("Padding", "percentunit", f"Share of positions that are padding.{_SEE}", Query(_metric("vaak_padding")), least=0),
        curves("Waiting for shards", "s", f"Only from object storage: what the loader waited for shards in a step.{_SEE}",
               Query(_metric("vaak_shard_wait_s")), least=0),
        curves("Its GPUs: busy", "percentunit", "Share of ten minutes that each GPU of the run's group computed. docs/ops.md: "
               "GpuIdleDuringRun.", Query(f"gpu:busy:mean10m {_ITS_GROUP}", "{{host}} {{gpu}}"), least=0, most=1),
        curves("Its GPUs: tensor cores", "percentunit", "Share of cycles with the tensor cores at work: what a fast step is made of. "
               "Without profiling there is none, see docs/ops.md.",
               Query(f"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE {_ITS_GROUP}", "{{host}} {{gpu}}"), least=0),
        curves("Its GPUs: memory", "percentunit", "Share of each GPU's memory that is taken. docs/ops.md: GpuMemoryNearlyFull.",
               Query(f"gpu:memory_used:share {_ITS_GROUP}", "{{host}} {{gpu}}"), least=0, most=1),
    )  # fmt: skip


def _learning() -> Panels:
    return (
        curves("Loss", "none", f"Nats per target token: all, codes, text.{_SEE}", Query(_metric("vaak_loss")),
               Query(_metric("vaak_loss_audio"), "{{run}} audio"), Query(_metric("vaak_loss_text"), "{{run}} text")),
        curves("Loss by language", "none", f"Nats per target token of each language.{_SEE}",
               Query(_metric("vaak_loss_language", ',language=~"$language"'), "{{run}} {{language}}")),
        curves("Loss by stream and source", "none", f"Nats per target token of each stream and source.{_SEE}",
               Query(_metric("vaak_loss_stream"), "{{run}} {{stream}}"), Query(_metric("vaak_loss_source"), "{{run}} {{source}}")),
        curves("Validation loss", "none", "Nats per target token of the gold pack, held out from training. docs/ops.md: "
               f"VaakValidationLossRising.{_SEE}", Query(_metric("vaak_val_loss")), Query(_metric("vaak_val_audio"), "{{run}} audio"),
               Query(_metric("vaak_val_text"), "{{run}} text"), Query(_metric("vaak_val_stream"), "{{run}} {{stream}}")),
        curves("Validation loss by language", "none", f"The same of each language. docs/ops.md: VaakLanguageLossRising.{_SEE}",
               Query(_metric("vaak_val_language", ',language=~"$language"'), "{{run}} {{language}}")),
        curves("Norm of the gradient", "none", f"Before it is clipped, of skipped steps too.{_SEE}", Query(_metric("vaak_grad_norm"))),
        curves("Learning rate", "sci", f"Of this step.{_SEE}", Query(_metric("vaak_lr"))),
        curves("Skipped steps", "none", "Of this stage so far, and those of them that were NaN or infinite or spikes. docs/ops.md: "
               f"VaakManySkips, VaakNonfiniteSkips.{_SEE}", Query(_metric("vaak_skipped_total")),
               Query(_metric("vaak_nonfinite_total"), "{{run}} not finite"), Query(_metric("vaak_spikes_total"), "{{run}} spikes"), least=0),
        curves("Seen so far", "none", f"Positions since the stage began, and hours of audio.{_SEE}",
               Query(_metric("vaak_tokens"), "{{run}} tokens"), Query(_metric("vaak_audio_hours"), "{{run}} hours of audio"), least=0),
    )  # fmt: skip


def _saved() -> Panels:
    return (
        curves("Step and newest checkpoint", "none", f"The step, and that of the newest complete full checkpoint.{_SEE}",
               Query(f'vaak_step{{job="trainer",{_RUN}}}'), Query(_metric("vaak_checkpoint_step"), "{{run}} saved"),
               Query(_metric("vaak_checkpoint_next"), "{{run}} next"), Query(_metric("vaak_publish_step"), "{{run}} published"),
               Query(_metric("vaak_sidecar_evaluated_step"), "{{run}} evaluated"), width=12),
        curves("Time of a checkpoint", "s", f"Writing it beside the training, and sending it. docs/ops.md: VaakCheckpointSlow.{_SEE}",
               Query(_metric("vaak_checkpoint_seconds"), "{{run}} saved"), Query(_metric("vaak_publish_seconds"), "{{run}} published"),
               width=12, least=0),
        curves("Size of the newest checkpoint", "bytes", f"All its files.{_SEE}", Query(_metric("vaak_checkpoint_bytes")), width=6, least=0),
        curves("Saves and uploads that failed", "none", "In the hour before. docs/ops.md: VaakCheckpointFailed, VaakPublishFailing."
               f"{_SEE}", Query(f"increase({_metric('vaak_checkpoint_failed_total')}[1h])", "{{run}} saves"),
               Query(f"increase({_metric('vaak_publish_failed_total')}[1h])", "{{run}} uploads"), width=6, least=0),
        curves("Waiting to be published", "none", f"Checkpoints. docs/ops.md: VaakPublishQueue.{_SEE}",
               Query(_metric("vaak_publish_waiting")), width=6, least=0),
        curves("Oldest that waits", "s", f"How long it has waited. docs/ops.md: VaakPublishOld.{_SEE}",
               Query(_metric("vaak_publish_oldest_s")), width=6, least=0),
    )  # fmt: skip


def _aligning() -> Panels:
    return (
        curves("Reward", "none", f"Of aligned runs: mean over completions, and of each language.{_SEE}", Query(_metric("vaak_reward")),
               Query(_metric("vaak_reward_language", ',language=~"$language"'), "{{run}} {{language}}")),
        curves("Parts of the reward", "none", f"Content, similarity, quality; of preferences, what was chosen and rejected.{_SEE}",
               Query(_metric("vaak_reward_part"), "{{run}} {{part}}"), Query(_metric("vaak_reward_chosen"), "{{run}} chosen"),
               Query(_metric("vaak_reward_rejected"), "{{run}} rejected")),
        curves("Dropped, dead and gated", "percentunit", "Groups without rewards since a judge failed; groups whose rewards are equal; "
               f"completions that fell to a gate. docs/ops.md: VaakJudgesFail.{_SEE}", Query(_metric("vaak_dropped"), "{{run}} dropped"),
               Query(_metric("vaak_dead"), "{{run}} dead"), Query(_metric("vaak_gated"), "{{run}} gated"), least=0, most=1),
        curves("Entropy", "none", f"Of the policy, nats per code.{_SEE}", Query(_metric("vaak_entropy"))),
        curves("Length over the recording's", "none", f"Mean over completions.{_SEE}", Query(_metric("vaak_length_ratio"))),
        curves("Drawing and judging", "s", f"Of a step, on the first process.{_SEE}", Query(_metric("vaak_drawing_s"), "{{run}} drawing"),
               Query(_metric("vaak_judging_s"), "{{run}} judging"), least=0),
    )  # fmt: skip


def _process() -> Panels:
    return (
        curves("Rows that a tracker did not take", "none", f"In the hour before. docs/ops.md: VaakTrackerLosesRows.{_SEE}",
               Query(f"increase({_metric('vaak_untold_tracker_total')}[1h])", "{{run}} {{tracker}}"), width=12, least=0),
        curves("Memory of tensors", "decgbytes", f"The most on the first process's GPU since the stage began.{_SEE}",
               Query(_metric("vaak_memory_gb")), width=12, least=0),
    )  # fmt: skip


def dashboard_of_runs() -> build.Dashboard:
    variables = (
        ("run", "Run", "label_values(vaak_run_info, run)"),
        ("language", "Language", 'label_values(vaak_loss_language{run=~"$run"}, language)'),
    )
    rows = (
        ("Is it alive, fast, learning, saved, evaluated", _top()), ("Fast", _fast()), ("Learning", _learning()), ("Saved", _saved()),
        ("Alignment", _aligning()), ("Trackers and memory", _process()),
    )  # fmt: skip
    return dashboard("vaak-run", "Vaak: runs", "Training and alignment runs. Alerts: docs/ops.md.", variables, rows)
