"""The numerics: torch, diffusers and transformers. They know nothing of nodes."""
