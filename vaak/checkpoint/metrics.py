"""The numbers of a publisher. `docs/metrics.md` is made from this; those of saving stand with the training's."""

from __future__ import annotations

from vaak.track.metric import Metric

PUBLISHING = (
    Metric("publish/waiting", "checkpoints", "that wait to be sent, to both targets together; a milestone for the Hub also waits up to six hours for "
           "its evaluation", "it stays at three or more: newer ones go first, and what the policy does not keep is given up", "publisher"),
    Metric("publish/oldest_s", "s", "how long the oldest of these has waited, milestones that have no evaluation yet left out; 0 where none waits",
           "longer than an upload and a pause together", "publisher"),
    Metric("publish/step", "steps", "of the newest checkpoint that was ever published of this run", "it stands still while `checkpoint/step` goes on",
           "publisher"),
    Metric("publish/published", "checkpoints", "sent by this process", "", "publisher", counter=True),
    Metric("publish/failed", "uploads", "tries of this process that failed, each is tried again", "several in a row: RUN/publish and its log say why",
           "publisher", counter=True),
    Metric("publish/bytes", "bytes", "of the checkpoints that this process sent to storage; what goes to the Hub is not counted", "", "publisher",
           counter=True),
    Metric("publish/seconds", "s", "how long the last upload took", "it nears the time between two checkpoints", "publisher"),
)  # fmt: skip
