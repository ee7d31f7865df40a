"""Writes the weights that ship: the mean of some snapshots of a run, in bfloat16, and what they were made from.

    python -m training.export runs/NAME/snapshot-*.safetensors

Word embeddings are left out: training does not change them, so the product takes them from the packaged MiniLM.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor

from assistant.reading.reader import CARD, WEIGHTS, WORD_EMBEDDINGS
from index.embedding.embedder import PACKAGED_SHA256

TARGET = Path(__file__).parent.parent / "assistant" / "reading"
MAX_BYTES = 50_000_000


def average_weights(snapshots: list[Path]) -> dict[str, Tensor]:
    """The mean of the weights in several files, float32.

    Raises:
        ValueError: the files do not contain the same names.
    """
    stored = [load_file(path) for path in snapshots]
    if any(weights.keys() != stored[0].keys() for weights in stored):
        raise ValueError(f"these files hold different weights: {', '.join(map(str, snapshots))}")
    return {name: torch.stack([weights[name].float() for weights in stored]).mean(0) for name in stored[0]}


def main(snapshots: list[Path]) -> None:
    """Write reader.safetensors and reader.json into the package."""
    weights = {name: tensor.bfloat16() for name, tensor in average_weights(snapshots).items()}
    del weights[WORD_EMBEDDINGS]
    path = TARGET / WEIGHTS
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    path.chmod(0o644)
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{path} has {size:,} bytes, at most {MAX_BYTES:,} may ship")
    facts = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "word_embeddings_sha256": PACKAGED_SHA256,
        "bytes": size,
        "snapshots": [f"{snapshot.parent.name}/{snapshot.name}" for snapshot in snapshots],
        "config": json.loads((snapshots[-1].parent / "config.json").read_text("utf-8")),
    }
    (TARGET / CARD).write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    typer.echo(json.dumps(facts, indent=2))


if __name__ == "__main__":
    typer.run(main)
