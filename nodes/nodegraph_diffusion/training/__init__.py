"""How the shipped model was made, and how to make one from other pictures: see docs/training.md.

    python -m nodegraph_diffusion.training run-all --folder FOLDER

Imported by nothing that runs a workflow.
"""
