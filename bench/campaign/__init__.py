"""A seeded fault campaign: programs are killed while several faults happen; then books are kept."""
