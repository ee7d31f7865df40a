"""BERT layers for CPUs: no computation on padding, and oneDNN's fused kernels with weights in their layout.

They replace the layers of BERT models in `index.embedding.embedder`, and give the same vectors (within the precision of
the model) in less time (`docs/performance.md`).
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import BertModel
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions as EncoderOutput

# oneDNN caches a kernel for each number of rows; padding them to a multiple of this keeps the number of kernels low.
ROWS_MULTIPLE = 64


def use_packed_layers(model: nn.Module) -> None:
    """Replace the layers of each BERT on the CPU within a model; other modules are unchanged."""
    for bert in [module for module in model.modules() if isinstance(module, BertModel) and _can_be_packed(module)]:
        bert.add_module("encoder", PackedEncoder(bert))


def _can_be_packed(bert: BertModel) -> bool:
    config = bert.config
    is_plain = config.hidden_act == "gelu" and not config.is_decoder and config._attn_implementation == "sdpa"
    return is_plain and bert.device.type == "cpu" and _has_fused_kernels()


@cache
def _has_fused_kernels() -> bool:
    """Whether this version of torch has oneDNN's kernels and they work as they are called here."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return is_x86 and torch.backends.mkldnn.is_available() and _try_kernels()  # type: ignore[no-untyped-call]


def _try_kernels() -> bool:
    """Call the kernels, which are not part of torch's public interface and may change."""
    layer, rows = nn.Linear(16, 16), torch.ones(2, 16)
    try:
        with torch.inference_mode():
            fused = _Linear(layer)
            return torch.allclose(fused(rows), layer(rows), atol=1e-4) and torch.allclose(
                fused.add_to(rows, rows), rows + layer(rows), atol=1e-4
            )
    except (AttributeError, RuntimeError, TypeError):
        return False


class PackedEncoder(nn.Module):
    """A replacement for `BertEncoder`, for inference only. It works on rows of tokens, text after text."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self._layers = [_Layer(layer, bert.config.num_attention_heads) for layer in bert.encoder.layer]

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> EncoderOutput:
        """The output of the last layer, shape (texts, tokens, size), with zeros at padding."""
        # The mask has the shape (texts, 1, tokens, tokens); it is None without padding.
        shape = hidden_states.shape[:2]
        is_token = torch.ones(shape, dtype=torch.bool) if attention_mask is None else attention_mask[:, 0, 0]
        lengths = is_token.sum(1).tolist()
        rows = hidden_states[is_token]
        count = len(rows)
        if len(lengths) > 1 and (added := -count % ROWS_MULTIPLE):  # a single question would only get slower
            rows = pad(rows, (0, 0, 0, added))
            lengths.append(added)
        for layer in self._layers:
            rows = layer(rows, lengths)
        output = torch.zeros_like(hidden_states)
        output[is_token] = rows[:count]
        return EncoderOutput(last_hidden_state=output)


class _Layer:
    """One layer: attention within each text, then a feed-forward network per token, each followed by a norm."""

    def __init__(self, layer: Any, heads: int) -> None:
        attention = layer.attention
        self._heads = heads
        self._query_key_value = _Linear(attention.self.query, attention.self.key, attention.self.value)
        self._mix = _Linear(attention.output.dense)
        self._mix_norm = attention.output.LayerNorm
        self._widen = _Linear(layer.intermediate.dense)
        self._narrow = _Linear(layer.output.dense)
        self._norm = layer.output.LayerNorm

    def __call__(self, rows: Tensor, lengths: Sequence[int]) -> Tensor:
        texts = torch.split_with_sizes(self._query_key_value(rows), lengths)
        attended = torch.cat([self._attend(text) for text in texts])
        rows = self._mix_norm(self._mix.add_to(rows, attended))
        result: Tensor = self._norm(self._narrow.add_to(rows, self._widen(rows, "gelu")))
        return result

    def _attend(self, text: Tensor) -> Tensor:
        """The attention output of a text: shape (tokens, size), from (tokens, 3 * size)."""
        query, key, value = text.view(1, len(text), 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        return scaled_dot_product_attention(query, key, value)[0].transpose(0, 1).flatten(1)


class _Linear:
    """Linear layers with the same input, fused to one, with weights in oneDNN's layout."""

    def __init__(self, *parts: nn.Linear) -> None:
        weight = torch.cat([part.weight.detach() for part in parts])
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self._bias = torch.cat([part.bias.detach() for part in parts])

    def __call__(self, rows: Tensor, function: str = "none") -> Tensor:
        """The output, with an activation function (by name) applied in the same kernel."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, function, [], "none")
        return result

    def add_to(self, sums: Tensor, rows: Tensor) -> Tensor:
        """The output for `rows`, added to `sums`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(rows, sums, self._weight, self._bias, "add")
        return result
