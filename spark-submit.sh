#!/usr/bin/env bash
# Run one of Tidewatch's jobs through spark-submit. ./spark-submit.sh --help
set -eu

usage() {
  cat <<'USAGE'
Usage: ./spark-submit.sh [OPTIONS] JOB [JOB OPTIONS]

  JOB                   score, archive, backfill, train or parity; its own options follow it (try: JOB --help)

  --master URL          where it runs: local[2], spark://host:7077, yarn, k8s://https://host:6443   [spark.master of --env]
  --deploy-mode MODE    client (the driver runs here) or cluster                                    [client]
  --env NAME            settings: conf/NAME.yaml                                                    [TIDEWATCH_ENV or local]
  --conf-dir DIR        folder with base.yaml                                                       [TIDEWATCH_CONF_DIR or conf]
  --conf KEY=VALUE      any Spark setting; may be repeated
  --dry-run             print the command, one argument a line, and do not run it
  --help

spark-submit is taken from SPARK_HOME, else from .venv (make setup). The jars of conf/jars/ivy.xml and the three
packages are shipped along. What has to be there already: Python 3.11 with the packages of setup.py on every node, named
by spark.pyspark.python, and reachable addresses for checkpoints, tables and the registry.
In deploy mode cluster the conf folder travels too, but no environment variable of this shell does: secrets come from
the cluster, for example --conf spark.yarn.appMasterEnv.TIDEWATCH_KAFKA__SASL_PASSWORD=... from a protected file.

Exit codes are those of `tidewatch --help`; 2 is a wrong use of this script.
USAGE
}

die() {  # what was wrong, the next step
  printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2
  exit "${3:-2}"
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=$root/.venv/bin/python
master='' deploy_mode=client dry_run=''
options=()

while [ $# -gt 0 ]; do
  case $1 in
    --master | --deploy-mode | --env | --conf-dir | --conf)
      [ $# -ge 2 ] || die "$1 has no value" "write $1 VALUE; see --help" ;;
  esac
  case $1 in
    --master) master=$2; shift 2 ;;
    --deploy-mode) deploy_mode=$2; shift 2 ;;
    --env) export TIDEWATCH_ENV="$2"; shift 2 ;;
    --conf-dir)
      TIDEWATCH_CONF_DIR=$(CDPATH='' cd -- "$2" 2>/dev/null && pwd) || die "there is no folder $2" "name one with base.yaml"
      export TIDEWATCH_CONF_DIR; shift 2 ;;
    --conf) options+=(--conf "$2"); shift 2 ;;
    --dry-run) dry_run=yes; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) die "there is no option $1" "see ./spark-submit.sh --help" ;;
    *) break ;;
  esac
done

[ $# -gt 0 ] || { usage >&2; exit 2; }
case $1 in
  score | archive | backfill | train | parity) ;;
  *) die "there is no job $1" "use score, archive, backfill, train or parity" ;;
esac
case $deploy_mode in client | cluster) ;; *) die "there is no deploy mode $deploy_mode" "use client or cluster" ;; esac
[ -x "$python" ] || die "there is no $python" "run make setup" 4
submit=${SPARK_HOME:-$root/.venv}/bin/spark-submit
[ -x "$submit" ] || die "there is no $submit" "correct or unset SPARK_HOME" 4

cd "$root"
tidewatch() { "$python" -m jobs.cli "$@"; }
conf_dir=$(tidewatch config get conf_dir)
memory=$(tidewatch config get spark.driver_memory)
[ -n "$master" ] || master=$(tidewatch config get spark.master)
[ "$master" != null ] || die "no master is set" "give --master URL"
jars=$(tidewatch jars spark)

ship() {  # ARCHIVE FOLDER NAME...: zip what is in FOLDER, and put it in place as a whole
  [ -z "$dry_run" ] || return 0
  (cd "$2" && shift 2 && mkdir -p "$root/var/submit" && "$python" -m zipfile -c "$1.$$" "${@:2}" && mv "$1.$$" "$1")
}
