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
values=$(tidewatch config get conf_dir spark.driver_memory spark.master)
{ read -r conf_dir; read -r memory; read -r own_master; } <<< "$values"
master=${master:-$own_master}
[ "$master" != null ] || die "no master is set" "give --master URL"
jars=$(tidewatch jars spark)

packages=$root/var/submit/packages.zip
settings=$root/var/submit/conf.zip
ship() {  # ARCHIVE FOLDER NAME...: zip what FOLDER holds under these names, and put the archive in place as a whole
  local archive=$1 folder=$2
  shift 2
  mkdir -p "$(dirname "$archive")"
  (cd "$folder" && "$python" -m zipfile -c "$archive.$$" "$@") && mv "$archive.$$" "$archive"
}
if [ -z "$dry_run" ]; then
  ship "$packages" "$root" features models jobs
  ship "$settings" "$conf_dir" .
fi

options+=(--name "tidewatch-$1" --master "$master" --deploy-mode "$deploy_mode" --driver-memory "$memory"
  --jars "$jars" --py-files "$packages")
[ "$deploy_mode" = client ] || options+=(--archives "$settings#conf")
case $master in
  local*)
    export PYSPARK_PYTHON=${PYSPARK_PYTHON:-$python}
    options+=(--driver-java-options "-Dlog4j2.configurationFile=$conf_dir/log4j2.properties") ;;
esac

if [ -n "$dry_run" ]; then
  printf '%s\n' "$submit" "${options[@]}" "$root/jobs/cli.py" "$@"
else
  exec "$submit" "${options[@]}" "$root/jobs/cli.py" "$@"
fi
