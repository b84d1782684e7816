"""The commands of ``mlp-ref``, one module each: options, and what they print."""
