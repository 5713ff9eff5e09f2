"""Parts that two or more methods use: backbones, and collectives that carry gradients."""
