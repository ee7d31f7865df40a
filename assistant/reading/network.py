"""The reader's network: an encoder with a head for records and a head for sentences.

`training/` trains it, `assistant.reading.reader` runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from assistant.reading.rows import Row, length_batches

# Weights of the packaged model that the network does not use.
_UNUSED = ("pooler.", "embeddings.position_ids")
# Padded tokens of one call of the encoder: few enough to stay in the processor's cache and to keep padding low.
TOKENS_PER_CALL = 1_200


class ReaderNetwork(nn.Module):
    """A logit for each record and one for each span, both against "not answered here" (0). New heads are random."""

    def __init__(self, encoder: BertModel, tokens_per_call: int) -> None:
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.record = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.sentence = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1))
        self._tokens_per_call = tokens_per_call

    def forward(self, rows: Sequence[Row]) -> tuple[Tensor, list[Tensor]]:
        """The record logits, shape (rows,), and for each row its span logits, shape (spans,); float32."""
        records: list[Tensor] = [torch.empty(0)] * len(rows)
        spans: list[Tensor] = [torch.empty(0)] * len(rows)
        for batch in length_batches(rows, self._tokens_per_call):
            record, span = self._read_batch([rows[number] for number in batch])
            for place, number in enumerate(batch):
                records[number] = record[place]
                spans[number] = span[place, : len(rows[number].spans)]
        return torch.stack(records), spans

    def _read_batch(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Record logits (rows,) and span logits (rows, most spans) of one padded batch."""
        ids, segments, mask, means, closing = _pad(rows)
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else self.encoder.dtype
        # The bias is made here in the right type: the one that transformers makes is float32 and slows attention.
        bias = torch.zeros(mask.shape, dtype=dtype).masked_fill(mask == 0, -1e9)[:, None, None, :]
        states = self.encoder(input_ids=ids, token_type_ids=segments, attention_mask=bias).last_hidden_state.float()
        with torch.autocast("cpu", enabled=False):
            ends = torch.gather(states, 1, closing[:, :, None].expand(-1, -1, states.shape[2]))
            span_states = torch.cat([torch.bmm(means, states), ends], dim=2)
            return self.record(states[:, 0])[:, 0], self.sentence(span_states)[:, :, 0]


def make_network(base: Path, dropout: float = 0.0, tokens_per_call: int = TOKENS_PER_CALL) -> ReaderNetwork:
    """A network whose encoder has the weights of the BERT model in the folder `base`, and whose heads are random.

    Attention has no dropout and is the eager one, which is the fastest here.
    """
    config = BertConfig.from_pretrained(base, hidden_dropout_prob=dropout, attention_probs_dropout_prob=0.0)  # nosec B615 # a folder
    config._attn_implementation = "eager"
    encoder = BertModel(config, add_pooling_layer=False)
    weights = load_file(base / "model.safetensors")
    encoder.load_state_dict({name: weight for name, weight in weights.items() if not name.startswith(_UNUSED)})
    return ReaderNetwork(encoder, tokens_per_call)


def _pad(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Ids, segments, mask, all (rows, length); span means as weights (rows, spans, length); last places (rows, spans).

    The padding id is 0, as in every BERT vocabulary.
    """
    length, most = max(len(row.ids) for row in rows), max(len(row.spans) for row in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    segments, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    means = torch.zeros(len(rows), most, length)
    closing = torch.zeros(len(rows), most, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        segments[number, row.question_end : len(row.ids)] = 1
        mask[number, : len(row.ids)] = 1
        for place, (start, end) in enumerate(row.spans):
            means[number, place, start:end] = 1 / (end - start)
            closing[number, place] = end - 1
    return ids, segments, mask, means, closing
