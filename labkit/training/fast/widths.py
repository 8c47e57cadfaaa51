"""Batches of few widths on a CPU.

oneDNN compiles a kernel for every shape that it meets, which takes about as long as a part of a
batch takes to compute. Of few widths all kernels are kept
(https://uxlfoundation.github.io/oneDNN/dev_guide_primitive_cache.html).
"""

from typing import TYPE_CHECKING

from transformers import DataCollatorWithPadding

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

WIDTH = 16  # tokens; a tile of AMX has so many rows


def few_widths(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
) -> DataCollatorWithPadding:
    """Pads a batch to a multiple of `WIDTH`, where `model` has positions for the last of them."""
    fits = model.config.max_position_embeddings % WIDTH == 0
    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=WIDTH if fits else None)
