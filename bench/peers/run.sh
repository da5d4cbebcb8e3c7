#!/usr/bin/env bash
# Appends the same events to Custody and to its peers, in turn, and prints how
# they compare. See ../README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

rounds=3
events=1000000
seed=1
dir=${CARGO_TARGET_DIR:-$root/target}/peers
sides=custody,postgresql,tessera,tessera-small
limit=600
install=no
bench=${CUSTODY_BENCH:-}

usage() {
	cat <<-EOF
	usage: bench/peers/run.sh [options]
	  -n ROUNDS    runs of each side (default $rounds)
	  -e EVENTS    events of a run (default $events)
	  -s SEED      of the events (default $seed)
	  -d DIR       on a disk, for the events and everything temporary
	               (default $dir)
	  -p SIDES     of custody,postgresql,tessera,tessera-small (default all)
	  -t SECONDS   that one run may take (default $limit)
	  -i           install PostgreSQL with apt-get if it is not there
	CUSTODY_BENCH  a custody-bench to use in place of building one
	EOF
}

die() {
	echo "run.sh: $*" >&2
	exit 1
}

while getopts n:e:s:d:p:t:ih option; do
	case $option in
	n) rounds=$OPTARG ;;
	e) events=$OPTARG ;;
	s) seed=$OPTARG ;;
	d) dir=$OPTARG ;;
	p) sides=$OPTARG ;;
	t) limit=$OPTARG ;;
	i) install=yes ;;
	h) usage && exit ;;
	*) usage >&2 && exit 2 ;;
	esac
done
IFS=, read -ra order <<<"$sides"
for side in "${order[@]}"; do
	case $side in
	custody | postgresql | tessera | tessera-small) ;;
	*) die "no such side: $side" ;;
	esac
done

# PostgreSQL will not run as root and must reach its directory.
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d "$dir/run-XXXXXX")
chmod 755 "$work"
running=
finish() {
	trap - EXIT INT TERM
	# One process that this script started; it ends its own.
	if [ -n "$running" ] && kill -TERM "$running" 2>/dev/null; then
		wait "$running" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

command -v go >/dev/null || die "needs Go 1.25 or later (https://go.dev/dl/)"
mkdir "$work/bin"
(cd "$here" && go build -o "$work/bin/" ./postgres ./tessera ./table)

if [[ ,$sides, == *,postgresql,* ]] && ! "$work/bin/postgres" -check >/dev/null 2>&1; then
	[ $install = yes ] || die "no PostgreSQL server: run again with -i, or apt-get install postgresql-15, or leave it out with -p"
	[ "$(id -u)" = 0 ] || die "installing PostgreSQL needs root: apt-get install postgresql-15"
	echo "installing PostgreSQL 15; Debian's package may start a cluster of its own, which this does not use" >&2
	apt-get install --yes --no-install-recommends postgresql-15 >&2 ||
		die "apt-get could not install postgresql-15; apt-get update may help"
fi

if [ -z "$bench" ]; then
	# Built like Custody itself is for use.
	cargo build --release --manifest-path "$root/Cargo.toml" -p custody-bench
	bench=${CARGO_TARGET_DIR:-$root/target}/release/custody-bench
fi
if [[ ,$sides, == *,custody,* ]]; then
	"$bench" append-once --help >/dev/null 2>&1 || die "$bench cannot append: leave custody out with -p"
fi

"$bench" workload --events "$events" --seed "$seed" --out "$work/events.jsonl"
sha256sum "$work/events.jsonl" | cut -d' ' -f1
cat "$work/events.jsonl" >/dev/null # Into the page cache, for everybody.

# one SIDE ROUND prints the figures of one run.
one() {
	local common=(-workload "$work/events.jsonl" -dir "$work" -round "$2" -timeout "${limit}s")
	case $1 in
	custody)
		set -- "$bench" append-once --workload "$work/events.jsonl" --events "$events" --dir "$work" --round "$2"
		;;
	postgresql) set -- "$work/bin/postgres" "${common[@]}" ;;
	tessera) set -- "$work/bin/tessera" "${common[@]}" -batch 16384 -age 1s -outstanding 32768 ;;
	tessera-small) set -- "$work/bin/tessera" "${common[@]}" -batch 4096 -age 100ms -outstanding 16384 ;;
	esac
	timeout --kill-after=60 "$((limit + 30))" "$@" >"$work/one" &
	running=$!
	local status=0
	wait "$running" || status=$?
	running=
	return $status
}

for ((round = 1; round <= rounds; round++)); do
	for side in "${order[@]}"; do
		# What one side left to be written is not the next one's load.
		sync
		one "$side" "$round" || die "$side failed in round $round"
		tee -a "$work/figures" <"$work/one"
	done
	# So that none always follows the same one.
	order=("${order[@]:1}" "${order[0]}")
done

echo
"$work/bin/table" <"$work/figures"
cp "$work/figures" "$dir/figures-$(date -u +%Y%m%dT%H%M%SZ).jsonl"
