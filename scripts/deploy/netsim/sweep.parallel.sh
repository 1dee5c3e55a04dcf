#!/usr/bin/env bash
# A sweep over the machines that GNU parallel knows, one shard each; then one table of all of it.
#   SHARDS=8 ./sweep.parallel.sh RESULTS fanout --param gossip.fanout=1,3,5 --seeds 20
# LOGINS=host1,host2 spreads it over machines that have consilium-netsim and see RESULTS under the same path.
# Started again, it does what is missing.
set -euo pipefail

if (($# < 2)); then
  echo "usage: SHARDS=8 $0 RESULTS SCENARIO [options of consilium-netsim sweep]" >&2
  exit 1
fi
results=$1
shift
shards=${SHARDS:-$(nproc)}
netsim=${NETSIM:-consilium-netsim}

mkdir -p "$results"
remote=()
if [[ -n ${LOGINS:-} ]]; then remote=(--sshlogin "$LOGINS" --workdir "$PWD"); fi
failed=0
parallel --quote "${remote[@]}" --jobs "${PARALLEL_JOBS:-$shards}" --halt never \
  "$netsim" sweep "$@" --jobs 1 --shard "{}/$shards" --out "$results/shard-{}" \
  ::: $(seq 1 "$shards") >/dev/null || failed=$?

folders=()
for ((i = 1; i <= shards; i++)); do
  if [[ -e $results/shard-$i/sweep.json ]]; then folders+=("$results/shard-$i"); fi
done
if ((${#folders[@]} == 0)); then
  echo "no shard wrote anything: see the errors above" >&2
  exit 1
fi
"$netsim" merge "${folders[@]}" --out "$results/whole"
exit "$failed"
