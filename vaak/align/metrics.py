"""The numbers of an alignment: each step of GRPO, each of DPO. `docs/metrics.md` is made from this, `docs/align.md` says what to do about them."""

from __future__ import annotations

from vaak.track.metric import Metric
from vaak.train.metrics import CHECKPOINTS, UNTOLD

SHARED = (
    Metric("loss", "nats", "what was minimised: of GRPO the clipped objective, whose value says little; of DPO .693 is no preference",
           "it is NaN", "aligner"),
    Metric("grad_norm", "", "Euclidean norm of the gradient of `loss`, before it is clipped", "it grows for tens of steps: lower the rate", "aligner"),
    Metric("lr", "", "the rate of this step", "", "aligner"),
    Metric("entropy", "nats", "of the policy over codes and the stop token, mean over what was said", "it falls towards 0: the model says one thing",
           "aligner"),
    Metric("skipped", "steps", "steps that changed nothing, so far: a gradient that is not finite, or nothing to learn from",
           "more than one in ten", "aligner", counter=True),
    Metric("time", "s", "in this run, interruptions not counted", "", "aligner"),
    Metric("step_s", "s", "the whole step, on the first process", "it grows: see `drawing_s` and `judging_s`", "aligner"),
)  # fmt: skip

GRPO = (
    Metric("reward", "0 to 1", "mean over completions that have a reward; prompts differ from step to step",
           "it rises while a held-out judge gets worse (`evaluate/held_out/alarm`)", "aligner"),
    Metric("reward/language/{language}", "0 to 1", "the same of a language", "one falls while the others rise", "aligner"),
    Metric("reward/{part}", "0 to 1", "mean of a part, `content`, `similarity` or `quality`, over completions that passed the gates",
           "one falls while `reward` rises", "aligner"),
    Metric("reward/{part}/language/{language}", "0 to 1", "the same of a language", "as `reward/{part}`", "aligner"),
    Metric("reward_spread", "0 to 1", "mean over groups of the deviation of rewards inside them: what there is to learn from",
           "it nears 0", "aligner"),
    Metric("gated", "share", "completions that fell to a gate and have reward 0", "it rises", "aligner"),
    Metric("gated/{gate}", "completions", "of the step's batch, how many fell to this gate", "one gate takes many", "aligner"),
    Metric("dropped", "share", "groups without rewards, since a judge failed", "more than .1: `judges/failed/{reason}` names it", "aligner"),
    Metric("dead", "share", "of the other groups, those whose rewards are equal: they teach nothing", "more than .5", "aligner"),
    Metric("stopped", "share", "completions that ended with the stop token", "it falls", "aligner"),
    Metric("codes", "codes", "length of a completion, mean", "see `length_ratio`", "aligner"),
    Metric("length_ratio", "", "length over that of the prompt's recording, mean over completions", "it leaves .8 to 1.3", "aligner"),
    Metric("length_spread", "", "standard deviation of `length_ratio` over completions", "it nears 0", "aligner"),
    Metric("f0_spread", "semitones", "mean over groups of the spread of the pitch of their first judged completion", "it falls: speech gets flat",
           "aligner"),
    Metric("clipped", "share", "codes whose ratio of new to old probability lay beyond `clip`", "more than .2", "aligner"),
    Metric("kl", "nats", "divergence from the parent, a code (k3); only where it has a weight", "it grows without end", "aligner"),
    Metric("logp_difference", "nats", "between the log-probability that a code was drawn with and what training computes before it has learned, mean",
           "in float32 above 1e-4, in bfloat16 above .05: two policies, not one", "aligner"),
    Metric("logp_difference_most", "nats", "the largest of these", "as `logp_difference`", "aligner"),
    Metric("drawing_s", "s", "drawing the step's batch, on the first process", "it grows", "aligner"),
    Metric("judging_s", "s", "then waiting for the judges, on the first process", "it is longer than `drawing_s`: more `judges.threads`", "aligner"),
    Metric("judges/groups", "groups", "given to the judges since the run began, resumes included", "", "aligner", counter=True),
    Metric("judges/dropped_groups", "groups", "of these, without rewards", "see `dropped`", "aligner", counter=True),
    Metric("judges/dead_groups", "groups", "of these, with equal rewards", "see `dead`", "aligner", counter=True),
    Metric("judges/samples", "completions", "in all groups: `judged`, all `gated` and `lost` together", "", "aligner", counter=True),
    Metric("judges/judged", "completions", "passed the gates and have a reward", "", "aligner", counter=True),
    Metric("judges/gated/{gate}", "completions", "fell to this gate", "see `gated/{gate}`", "aligner", counter=True),
    Metric("judges/lost", "completions", "of dropped groups", "it grows", "aligner", counter=True),
    Metric("judges/decode_crashes", "completions", "whose codes gave no sound", "any", "aligner", counter=True),
    Metric("judges/failed/{reason}", "calls", "of a judge that ended so: its name and the kind of failure", "it grows", "aligner", counter=True),
    Metric("judges/hung/{judge}", "calls", "of a judge that were left behind, in `failed` as well", "any; at three groups the run ends", "aligner",
           counter=True),
)  # fmt: skip

DPO = (
    Metric("reward/chosen", "nats", "`kl` times the log-probability of the chosen completion less the parent's, mean over pairs; no judge's reward",
           "below 0: the better speech itself became less likely", "aligner"),
    Metric("reward/rejected", "nats", "the same of the rejected one", "", "aligner"),
    Metric("margin", "nats", "`reward/chosen` less `reward/rejected`", "it jumps where the pairs come again: memory", "aligner"),
    Metric("preferred", "share", "pairs with the chosen one ahead", "it stays at .5", "aligner"),
    Metric("logp/chosen", "nats", "log-probability of the whole chosen completion", "it falls without end", "aligner"),
    Metric("logp/rejected", "nats", "the same of the rejected one", "", "aligner"),
)  # fmt: skip

ALIGNMENT = SHARED + GRPO + DPO + CHECKPOINTS + UNTOLD
