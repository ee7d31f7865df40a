"""Trains the reader. The same command begins a run and takes it up again.

    python -m training.train ../shared/data runs/NAME

The folder of a run holds config.json, log.jsonl, checkpoint.pt (the latest, replaced whole) and a snapshot of the
weights at every validation. Interrupted (SIGINT, SIGTERM), it writes a checkpoint and ends.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

from assistant.reading.network import ReaderNetwork, make_network
from assistant.reading.reader import Reader
from assistant.reading.rows import Row, RowMaker
from index.embedding.embedder import packaged_model
from training.dataset import Counts, Material, groups_of_step, load_material
from training.losses import reader_loss
from training.sampling import Group, Mixture
from training.validate import draw_sample, validate

logger = logging.getLogger(__name__)
TOKENS_PER_CALL = 4_096
STEPS_A_LOG = 10
CHECKPOINT_S = 480.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that decides what a run does, apart from the data.

    A step has so many groups of `questions`, `claims`, `exercises` and `events`. The rate rises over the share `warmup`
    of the steps, stays, and falls over the share `cooldown`.
    """

    seed: int = 1
    epochs: float = 3.0
    questions: int = 14
    claims: int = 1
    exercises: int = 4
    events: int = 2
    negatives: int = 1
    removed: float = 0.08
    silenced: float = 0.12
    promoted: float = 0.25
    silent_weight: float = 0.5
    encoder_rate: float = 1.5e-4
    head_rate: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.06
    cooldown: float = 0.4
    dropout: float = 0.05
    validated: int = 100
    validations_an_epoch: int = 2

    @property
    def counts(self) -> Counts:
        """How many groups a step has."""
        return Counts(self.questions, self.claims, self.exercises, self.events)

    @property
    def mixture(self) -> Mixture:
        """The part that drawing groups needs."""
        return Mixture(negatives=self.negatives, removed=self.removed, silenced=self.silenced, promoted=self.promoted)


class Run:
    """A run in its folder: network, optimizer, step, log."""

    def __init__(self, folder: Path, config: Config, material: Material) -> None:
        torch.manual_seed(config.seed)
        base = packaged_model()
        self.folder, self.config, self.material = folder, config, material
        self.rows = RowMaker(Tokenizer.from_file(str(base / "tokenizer.json")))
        self.network = make_network(base, dropout=config.dropout, tokens_per_call=TOKENS_PER_CALL)
        self.network.encoder.embeddings.word_embeddings.requires_grad_(False)
        self.optimizer = make_optimizer(self.network, config)
        self.steps = math.ceil(config.epochs * len(material.train) / config.questions)
        self.step, self.seconds = 0, 0.0
        self._stopping = False

    def resume(self) -> None:
        """Take up the latest checkpoint, if there is one."""
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.network.load_state_dict(state["reader"])
            self.optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["rng"])
            self.step, self.seconds = state["step"], state["seconds"]
        self.log({"event": "start", "step": self.step, "steps": self.steps, "config": asdict(self.config)})

    def train(self) -> None:
        """Run to the end or to a signal, with checkpoints, validations and a log of the means of some steps."""
        every = math.ceil(len(self.material.train) / self.config.questions / self.config.validations_an_epoch)
        window: list[dict[str, float]] = []
        saved = time.monotonic()
        while self.step < self.steps and not self._stopping:
            window.append(self.advance())
            if len(window) == STEPS_A_LOG:
                self.log_window(window)
                window = []
            if time.monotonic() - saved > CHECKPOINT_S:
                self.save()
                saved = time.monotonic()
            if self.step % every == 0 or self.step == self.steps:
                self.save()
                self.validate()
        self.save()
        self.log({"event": "stopped" if self.step < self.steps else "finished", "step": self.step})

    def advance(self) -> dict[str, float]:
        """One step of the optimizer; its losses, the gradient's length, the tokens read and the seconds taken."""
        began = time.monotonic()
        self.network.train()
        config = self.config
        groups = groups_of_step(self.material, self.step, config.counts, config.mixture, config.seed)
        rows = [row for group in groups for row in self.rows_of(group)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            records, spans = self.network(rows)
        loss, parts = reader_loss(records, spans, groups, config.silent_weight)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        length = nn.utils.clip_grad_norm_([p for p in self.network.parameters() if p.requires_grad], 1.0).item()
        if not math.isfinite(length):
            raise FloatingPointError(f"step {self.step}: the gradient is not finite (loss {parts['loss']})")
        share = rate(self.step, self.steps, config)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = share * parameters["base"]
        self.optimizer.step()
        self.step += 1
        seconds = time.monotonic() - began
        self.seconds += seconds
        return {**parts, "gradient": length, "tokens": float(sum(len(row.ids) for row in rows)), "seconds": seconds}

    def rows_of(self, group: Group) -> list[Row]:
        """One row a record: of a long record the one that holds what answers, else its first."""
        rows = []
        for place, report in enumerate(group.reports):
            made = self.rows.make_rows(group.question, report)
            wanted = group.span - 1 if place == group.about else 0
            rows.append(next((row for row in made if row.first_sentence <= wanted < end_of(row)), made[0]))
        return rows

    def save(self) -> None:
        """Replace the checkpoint in one move."""
        partial = self.folder / "checkpoint.partial"
        state = {
            "reader": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        torch.save(state, partial)
        os.replace(partial, self.folder / "checkpoint.pt")

    def validate(self) -> None:
        """Keep the weights of this step, and measure them on held-out questions."""
        weights = {name: tensor.detach().bfloat16().contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, self.folder / f"snapshot-{self.step:06d}.safetensors")
        self.network.eval()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            sample = draw_sample(self.material.held_out, self.config.validated)
            measured = validate(Reader(self.network, self.rows), sample, self.material.reports)
        self.log({"event": "validation", "step": self.step, **measured})

    def log_window(self, window: list[dict[str, float]]) -> None:
        """Log the means of some steps, and the speed."""
        sums = {key: sum(entry[key] for entry in window) for key in window[0]}
        means = {key: value / len(window) for key, value in sums.items() if key not in {"tokens", "seconds"}}
        speed = round(sums["tokens"] / sums["seconds"])
        share = rate(self.step - 1, self.steps, self.config)
        self.log({"event": "train", "step": self.step, **means, "rate": share, "tokens_a_second": speed})

    def log(self, entry: dict[str, Any]) -> None:
        """Append one line to log.jsonl."""
        rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in entry.items()}
        line = json.dumps({"time": time.strftime("%FT%TZ", time.gmtime()), **rounded})
        logger.info(line)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(line + "\n")

    def stop(self, *_: object) -> None:
        """End after the step under way (a signal handler)."""
        self._stopping = True


def end_of(row: Row) -> int:
    """The number after the last sentence of a row."""
    return row.first_sentence + len(row.spans) - 1


def make_optimizer(network: ReaderNetwork, config: Config) -> torch.optim.AdamW:
    """AdamW with a rate for the encoder and one for the heads; nothing decays but matrices."""
    encoder = [parameter for parameter in network.encoder.parameters() if parameter.requires_grad]
    heads = [*network.record.parameters(), *network.sentence.parameters()]
    sets = [
        {
            "params": [parameter for parameter in part if (parameter.dim() > 1) == decays],
            "base": base,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for part, base in ((encoder, config.encoder_rate), (heads, config.head_rate))
        for decays in (True, False)
    ]
    return torch.optim.AdamW(sets, lr=0.0, betas=(0.9, 0.98))


def rate(step: int, steps: int, config: Config) -> float:
    """The share of the full learning rate at a step."""
    rising = (step + 1) / max(1.0, config.warmup * steps)
    falling = (steps - step) / max(1.0, config.cooldown * steps)
    return max(0.01, min(1.0, rising, falling))


def configure(folder: Path, settings: list[str]) -> Config:
    """The configuration of the run in a folder, with `key=value` settings on top, stored again.

    Raises:
        ValueError: a setting is not one of Config's.
    """
    path = folder / "config.json"
    config = Config(**json.loads(path.read_text("utf-8"))) if path.exists() else Config()
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in asdict(config):
            raise ValueError(f"{key} is no setting of a run, these are: {', '.join(asdict(config))}")
        config = replace(config, **{key: type(getattr(config, key))(value)})
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(config), indent=2) + "\n", "utf-8")
    return config


def main(
    data: Path,
    run: Path,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the run's configuration")] = None,
) -> None:
    """Begin or take up the run in a folder."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    running = Run(run, configure(run, settings or []), load_material(data, run.parent / "material"))
    signal.signal(signal.SIGTERM, running.stop)
    signal.signal(signal.SIGINT, running.stop)
    running.resume()
    running.train()


if __name__ == "__main__":
    typer.run(main)
