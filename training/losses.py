"""What the reader is trained to do, as one number with its parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data import NO_SPAN, UNKNOWN_SPAN
from training.sampling import Group


def choice_loss(logits: Tensor, target: int | None) -> Tensor:
    """Cross entropy of one choice among `logits` and a null of 0; None is the null."""
    scores = torch.cat([logits.new_zeros(1), logits])
    return F.cross_entropy(scores[None], torch.tensor([0 if target is None else target + 1]))


def reader_loss(
    records: Tensor, spans: Sequence[Tensor], groups: Sequence[Group], silent_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """The mean over groups of three losses: which record answers, which span of the record asked about, none elsewhere.

    `records` and `spans` run over the records of all groups, one group after the other. Where the span is not known, or
    was cut off with the end of its row, it gives no loss.
    """
    sums = {name: records.new_zeros(()) for name in ("record", "span", "silent")}
    start = 0
    for group in groups:
        end = start + len(group.reports)
        sums["record"] = sums["record"] + choice_loss(records[start:end], group.gold)
        for place, logits in enumerate(spans[start:end]):
            if place != group.about:
                sums["silent"] = sums["silent"] + choice_loss(logits, None) / len(group.reports)
            elif group.span != UNKNOWN_SPAN and group.span < len(logits):
                target = None if group.span == NO_SPAN else group.span
                sums["span"] = sums["span"] + choice_loss(logits, target)
        start = end
    means = {name: value / len(groups) for name, value in sums.items()}
    total = means["record"] + means["span"] + silent_weight * means["silent"]
    return total, {"loss": total.item(), **{name: value.item() for name, value in means.items()}}
