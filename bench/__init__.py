"""Side-by-side benchmarks: every figure stands beside its peer from the same run on the same servers."""
