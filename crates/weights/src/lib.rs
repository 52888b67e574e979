//! Memory-mapped safetensors checkpoints: one file or shards, validated before use.
