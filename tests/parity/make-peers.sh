#!/bin/sh
# Makes .cache/peers, the Python environment whose programs are what ours are compared with: golden files and benchmarks.
# Nothing of Strata runs Python; this is needed only to make golden files anew or to run `make bench`. Needs python3 >= 3.11 and cc.
set -eu
cd "$(dirname "$0")/../.."
python3 -m venv .cache/peers
.cache/peers/bin/pip install --quiet --no-deps torch==2.15.0
.cache/peers/bin/pip install --quiet --requirement tests/parity/peers.txt
.cache/peers/bin/python tests/parity/stand-in-cuda.py
.cache/peers/bin/python -c 'import torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__)'
