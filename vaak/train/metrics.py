"""The numbers of a training run: every step, validation, checkpoints. `docs/metrics.md` is made from this."""

from __future__ import annotations

from vaak.track.metric import Metric

STEP = (
    Metric("loss", "nats", "cross-entropy of all targets of the step: codes, text and control tokens",
           "it is NaN, or stays above its mean of the last hour"),
    Metric("loss/audio", "nats", "targets that are codes or the stop token `<|speech_end|>`", "as `loss`"),
    Metric("loss/text", "nats", "targets of the base tokenizer, its end of text included", "as `loss`"),
    Metric("loss/stream/{stream}", "nats", "targets of documents of a stream: `raw`, `paired`, `text`",
           "one rises while the others fall: the mixture starves it"),
    Metric("loss/language/{language}", "nats", "targets of documents of a language, in all streams",
           "one rises while the others fall"),
    Metric("loss/source/{source}", "nats", "targets of documents of a source", "one source is far from its like"),
    Metric("grad_norm", "", "Euclidean norm of the gradient of `loss` over all trained parameters, before it is clipped; of a "
           "skipped step too", "it grows for hundreds of steps: lower the rate"),
    Metric("lr", "", "the rate of this step (Muon's matrices and AdamW's share it)"),
    Metric("tokens", "tokens", "positions in rows since the stage began, padding included: steps × `tokens_per_step`"),
    Metric("audio_hours", "h", "audio served since the stage began: codes, targets or context, over the codec's rate; repeats count again"),
    Metric("tokens_per_s", "tokens/s", "positions of this step over its time, all processes together, padding included",
           "it falls below 80% of its own mean: data, a slow node, or a hot GPU"),
    Metric("targets_per_s", "tokens/s", "targets of this step over its time: what is learnt from, without padding and masked prompts"),
    Metric("audio_s_per_s", "s/s", "seconds of audio in this step (its codes, targets or context, over the codec's rate) over its time"),
    Metric("step_s", "s", "from asking for the step's rows to the end of its optimizer update, on the first process"),
    Metric("data_wait", "share", "of the step's time, how long the first process waited for its rows",
           "more than a tenth: more `loader_workers`, or faster storage", "loader"),
    Metric("shard_wait_s", "s", "only with a corpus in object storage and without `loader_workers`: how long the loader waited for "
           "shards since the last step; it works ahead, so the step waits less", "it is seldom 0", "loader"),
    Metric("padding", "share", "positions that are padding; 1 less this is how full the rows are", "more than .05", "loader"),
    Metric("skipped", "steps", "steps of this stage that changed nothing, so far: `nonfinite` and `spikes`",
           "more than one in a thousand", counter=True),
    Metric("nonfinite", "steps", "of these, gradients or losses that were NaN or infinite", "any", counter=True),
    Metric("spikes", "steps", "of these, gradients far above what came before ([how far](train.md))", "several in an hour", counter=True),
    Metric("memory_gb", "10⁹ bytes", "only on a GPU: the most that tensors have taken on the first process's device since the stage began",
           "it nears the device's memory"),
    Metric("time", "s", "in this stage, interruptions not counted"),
)  # fmt: skip

VALIDATION = (
    Metric("val/loss", "nats", "all targets of the gold pack's samples", "it rises while `loss` falls: overfitting, or another mixture"),
    Metric("val/audio", "nats", "as `loss/audio`", "as `val/loss`"),
    Metric("val/text", "nats", "as `loss/text`", "as `val/loss`"),
    Metric("val/stream/{stream}", "nats", "by the stream of the sample that the target is in", "as `val/loss`"),
    Metric("val/language/{language}", "nats", "by the language of the sample that the target is in", "one rises while the others fall"),
)  # fmt: skip

CHECKPOINTS = (
    Metric("checkpoint/step", "steps", "of the newest full checkpoint of this run that is complete", "see `checkpoint/every`", "checkpointer"),
    Metric("checkpoint/every", "steps", "from one full checkpoint to the next by the recipe's policy at this step",
           "`checkpoint/step` is twice this behind the step", "checkpointer"),
    Metric("checkpoint/next", "steps", "the step whose full checkpoint comes next; after the last step there is none", "", "checkpointer"),
    Metric("checkpoint/seconds", "s", "how long the newest one took, from the beginning of its copy in memory to its last file; training waits for the "
           "copy alone",
           "it nears the time of `checkpoint/every` steps: saves are then left out", "checkpointer"),
    Metric("checkpoint/bytes", "bytes", "of the newest one, all files of its manifest together", "", "checkpointer"),
    Metric("checkpoint/failed", "saves", "saves of this process that failed or were left out since one was still being written",
           "any", "checkpointer", counter=True),
)  # fmt: skip

UNTOLD = (
    Metric("untold/{tracker}", "rows", "rows that a tracker of this process did not take, because it is down, slow or full; "
           "metrics.jsonl has them, and `vaak replay` tells them again", "it grows", "trackers", counter=True),
)  # fmt: skip

TRAINING = STEP + VALIDATION + CHECKPOINTS + UNTOLD
