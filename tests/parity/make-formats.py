"""Golden files for the weight formats, by the formats' own libraries (safetensors, gguf, transformers).

Run with the peers (make-peers.sh): .cache/peers/bin/python tests/parity/make-formats.py
A tensor's expected float32 bytes are kept as their SHA-256 beside its shape.
"""

import hashlib
import json
import pathlib
import shutil

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

OUT = pathlib.Path(__file__).parent / "golden" / "formats"
rng = np.random.default_rng(7)


def expect(path, tensors):
    def row(a):
        a = np.asarray(a, dtype=np.float32)
        return {"shape": list(a.shape), "sha256": hashlib.sha256(a.tobytes()).hexdigest()}

    path.write_text(json.dumps({n: row(a) for n, a in tensors.items()}, indent=1) + "\n")


def every_dtype():
    """Each stored type, with the extremes of the 16-bit ones."""
    halves = torch.tensor([0x0000, -0x8000, 0x0001, 0x03FF, 0x0400, 0x7BFF, 0x7C00, -0x0400, 0x3555], dtype=torch.int16)
    brains = torch.tensor([0x0000, 0x0001, 0x3F80, 0x7F7F, 0x7F80, -0x0080, 0x4049], dtype=torch.int16)
    tensors = {
        "f64": torch.tensor([[1 / 3, -2.5e300]], dtype=torch.float64),
        "f32": torch.from_numpy(rng.standard_normal((2, 3, 4)).astype(np.float32)),
        "f16": halves.view(torch.float16),
        "bf16": brains.view(torch.bfloat16),
        "i64": torch.tensor([-(2**40), 16777217]),
        "i32": torch.tensor([-7, 2**31 - 1], dtype=torch.int32),
        "i16": torch.tensor([-32768, 5], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
    }
    save_file(tensors, OUT / "dtypes.safetensors", metadata={"format": "pt", "note": "é"})
    expect(OUT / "dtypes.json", {n: t.to(torch.float32).numpy() for n, t in tensors.items()})


def every_gguf_type():
    """Each tensor type that is read, and a key of each metadata type."""
    types = gguf.GGMLQuantizationType
    writer = gguf.GGUFWriter(OUT / "types.gguf", "test")
    for name, add, value in [
        ("u8", writer.add_uint8, 255), ("i8", writer.add_int8, -128), ("u16", writer.add_uint16, 65535),
        ("i16", writer.add_int16, -32768), ("u32", writer.add_uint32, 2**32 - 1), ("i32", writer.add_int32, -(2**31)),
        ("f32", writer.add_float32, 0.1), ("bool", writer.add_bool, True), ("string", writer.add_string, "\ufeffGrüße 🙂"),
        ("u64", writer.add_uint64, 2**64 - 1), ("i64", writer.add_int64, -(2**40)), ("f64", writer.add_float64, 0.1),
        ("strings", writer.add_array, ["a", "", "Ġb"]), ("ints", writer.add_array, [1, -2, 3]),
        ("nested", writer.add_array, [[1, 2], [3]]),
    ]:
        add(f"test.{name}", value)
    expected = {}
    for name in ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]:
        a = (rng.standard_normal((3, 2, 64)) * 10.0 ** rng.integers(-4, 4, (3, 2, 1))).astype(np.float32)
        raw = a if name == "F32" else gguf.quantize(a, types[name])
        if name == "F16":
            raw = a.astype(np.float16)
        raw_dtype = None if name in ("F32", "F16") else types[name]
        writer.add_tensor(name, raw, raw_dtype=raw_dtype)
        expected[name] = raw.astype(np.float32) if raw_dtype is None else gguf.dequantize(raw, types[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expect(OUT / "types.json", expected)


def tiny_llama():
    """A Llama model in Hugging Face's layout, and the same as GGUF with llama.cpp's order of the query and key rows."""
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-6, rope_theta=50000.0, tie_word_embeddings=False)
    model = transformers.LlamaForCausalLM(config).to(torch.float16).to(torch.float32)
    state = {n: t.detach().numpy() for n, t in model.state_dict().items()}
    writer = gguf.GGUFWriter(OUT / "llama.gguf", "llama")
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(50000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for name, a in state.items():
        if ".q_proj." in name or ".k_proj." in name:
            heads = 4 if ".q_proj." in name else 2
            stored = a.reshape(heads, 2, a.shape[0] // heads // 2, a.shape[1]).swapaxes(1, 2).reshape(a.shape)
            assert np.array_equal(LlamaTensorProcessor()._reverse_permute_weights(stored, heads, heads), a)
            a = stored
        one_dimensional = a.ndim == 1
        writer.add_tensor(names.get_name(name, (".weight",)), a if one_dimensional else a.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expect(OUT / "llama.json", state)


def tiny_gpt2():
    """A directory as transformers saves it (names with `transformer.`), whole and in shards, and a classifier."""
    torch.manual_seed(2)
    config = transformers.GPT2Config(
        vocab_size=32, n_positions=8, n_embd=16, n_layer=2, n_head=2, num_labels=3, pad_token_id=0, bos_token_id=0, eos_token_id=0)
    model = transformers.GPT2LMHeadModel(config)
    expected = {n.removeprefix("transformer."): t.detach().numpy() for n, t in model.state_dict().items() if n != "lm_head.weight"}
    for folder, options in [("gpt2", {}), ("gpt2-sharded", {"max_shard_size": "10KB"})]:
        shutil.rmtree(OUT / folder, ignore_errors=True)
        model.save_pretrained(OUT / folder, **options)
    expect(OUT / "gpt2.json", expected)
    classifier = transformers.GPT2ForSequenceClassification(config)
    shutil.rmtree(OUT / "gpt2-classifier", ignore_errors=True)
    classifier.save_pretrained(OUT / "gpt2-classifier")
    expect(OUT / "gpt2-classifier.json", {n.removeprefix("transformer."): t.detach().numpy() for n, t in classifier.state_dict().items()})


OUT.mkdir(parents=True, exist_ok=True)
every_dtype()
every_gguf_type()
tiny_llama()
tiny_gpt2()
