"""The peers: each as its own documentation sets it up, run in an interpreter of its own; see bench/README.md."""
