#!/usr/bin/env bash
# Asks Custody and a private PostgreSQL the same questions about the same events
# in one run, and prints how they compare. See ../README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

events=1000000
dir=${CARGO_TARGET_DIR:-$root/target}/peers
limit=3600
install=no
what=answers,gdprbench
bench=${CUSTODY_BENCH:-}

usage() {
	cat <<-EOF
	usage: bench/peers/answers.sh [options] [-- options of custody-bench answers]
	  -e EVENTS    events to be asked about (default $events)
	  -d DIR       on a disk, for everything temporary (default $dir)
	  -w WHAT      of answers,gdprbench (default both)
	  -t SECONDS   that all of it may take (default $limit)
	  -i           install PostgreSQL with apt-get if it is not there
	CUSTODY_BENCH  a custody-bench to use in place of building one
	EOF
}

die() {
	echo "answers.sh: $*" >&2
	exit 1
}

while getopts e:d:w:t:ih option; do
	case $option in
	e) events=$OPTARG ;;
	d) dir=$OPTARG ;;
	w) what=$OPTARG ;;
	t) limit=$OPTARG ;;
	i) install=yes ;;
	h) usage && exit ;;
	*) usage >&2 && exit 2 ;;
	esac
done
shift $((OPTIND - 1))
IFS=, read -ra parts <<<"$what"
for part in "${parts[@]}"; do
	case $part in
	answers | gdprbench) ;;
	*) die "no such part: $part" ;;
	esac
done

# PostgreSQL will not run as root and must reach its directory.
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d "$dir/answers-XXXXXX")
chmod 755 "$work"
asking=
server=
finish() {
	trap - EXIT INT TERM
	# Processes that this script started; each ends its own.
	for pid in $asking $server; do
		if kill -TERM "$pid" 2>/dev/null; then
			wait "$pid" 2>/dev/null || true
		fi
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

command -v go >/dev/null || die "needs Go 1.25 or later (https://go.dev/dl/)"
mkdir "$work/bin"
(cd "$here" && go build -o "$work/bin/" ./postgres)
if ! "$work/bin/postgres" -check >/dev/null 2>&1; then
	[ $install = yes ] || die "no PostgreSQL server: run again with -i, or apt-get install postgresql-15"
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

"$work/bin/postgres" -serve -dir "$work" -timeout "${limit}s" >"$work/served" &
server=$!
for ((wait = 0; wait < 600; wait++)); do
	[ ! -s "$work/served" ] || break
	kill -0 "$server" 2>/dev/null || die "PostgreSQL did not start"
	sleep 0.1
done
address=$(head -n 1 "$work/served")
[ -n "$address" ] || die "PostgreSQL did not start"

# ask COMMAND... runs one part until it ends or is interrupted.
ask() {
	timeout --kill-after=60 "$limit" "$bench" "$@" </dev/null &
	asking=$!
	local status=0
	wait "$asking" || status=$?
	asking=
	return $status
}

for part in "${parts[@]}"; do
	case $part in
	answers)
		figures=$dir/answers-$(date -u +%Y%m%dT%H%M%SZ).jsonl
		ask answers --events "$events" --dir "$work" --limit "$limit" --postgres "$address" \
			--figures "$figures" "$@" || die "asking failed"
		;;
	gdprbench)
		ask gdprbench --dir "$work" --postgres "$address" || die "GDPRbench failed"
		;;
	esac
done

kill -TERM "$server"
wait "$server" || true
server=
tail -n +2 "$work/served"
