#!/usr/bin/env bash
# Everything docs/speed.md wants of one GPU, in one go, into the folder named first:
#
#     benchmarks/gpu.sh results
#
# Needs requirements.txt, jax[cuda13], the test extras and a PyTorch that sees the GPU. Before, and
# anywhere, the same commands at tiny size on the CPU, so that on the day only numbers are new:
#
#     benchmarks/gpu.sh rehearsal dry
set -euo pipefail
out=${1:?name a folder for the results}
mkdir -p "$out"
export XLA_PYTHON_CLIENT_PREALLOCATE=false
tests=tests/model batches=(32 256) training=() pieces=() prediction=() text=() input=() # later flags win
encoders=(mmbert_small mmbert_base mgte_base mdeberta_base)
if [[ ${2:-} == dry ]]; then
  export JAX_PLATFORMS=cpu CUDA_VISIBLE_DEVICES=
  unset XMRC_DATA
  tests=tests/model/test_dropout.py batches=(2) encoders=(mmbert_small)
  pieces=(--encoder tiny --batch 2 --steps 1)
  training=("${pieces[@]}" --rounds 1 --trainers ours torch)
  prediction=(--encoder tiny --batch 2 --windows 8 --rounds 1)
  text=(--questions 600 --rounds 1)
  input=("${pieces[@]}" "${text[@]}")
fi

# Correctness first: fused attention against the plain one, a whole small run.
python -m pytest -n 0 $tests 2>&1 | tee "$out/tests.txt"
python -m xmrc_jax.main --config configs/mlqa.py:smoke --config.model.dtype=bfloat16 \
  --config.data.tests='("encyclopedia/test/en",)' --config.data.dev=encyclopedia/dev/en \
  --config.data.train='("encyclopedia/train/en",)' --workdir "$out/smoke" | tee "$out/smoke.txt"

for batch in "${batches[@]}"; do
  # Attention probabilities dropped as the encoder's own configuration says, and not, which lets
  # either side use its fused kernel.
  for rate in 0.1 0; do
    python -m benchmarks.train_step --dtype bfloat16 --batch "$batch" --attention_dropout $rate \
      --steps 20 --rounds 7 "${training[@]}" | tee "$out/train_step-$batch-$rate.txt"
  done
done
for encoder in "${encoders[@]}"; do
  dtype=bfloat16
  if [ "$encoder" = mdeberta_base ]; then dtype=float32; fi
  python -m benchmarks.train_step --encoder "$encoder" --dtype "$dtype" --batch 32 \
    --steps 20 --rounds 7 "${training[@]}" | tee "$out/train_step-$encoder.txt"
done
python -m benchmarks.pieces --dtype bfloat16 --batch 32 --steps 20 "${pieces[@]}" |
  tee "$out/pieces.txt"
python -m benchmarks.prediction --dtype bfloat16 --batch 256 "${prediction[@]}" |
  tee "$out/prediction.txt"
python -m benchmarks.extract "${text[@]}" | tee "$out/extract.txt"
python -m benchmarks.input "${input[@]}" | tee "$out/input.txt"
if [[ ${2:-} != dry ]]; then
  nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | tee "$out/gpu.txt"
fi
