"""Words: cleaning captions and judging them."""
