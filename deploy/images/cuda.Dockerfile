# A base for the engine on NVIDIA GPUs: CUDA 12.5 and cuDNN 9, with Node beside them. `node deploy/images.ts --cuda` builds it and the engine
# on top. It could not be tried where this was written (no registry to take CUDA from, no GPU under Docker).
ARG NODE=node:24-bookworm-slim
ARG CUDA=nvidia/cuda:12.5.1-cudnn-runtime-ubuntu22.04
FROM ${NODE} AS node
FROM ${CUDA}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
ENV STRATA_DEVICE=cuda
