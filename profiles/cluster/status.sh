#!/bin/sh
# Says what has become of job $1: running, success or failed. Schedulers forget jobs, at once or after a while, so a job leaves its
# exit status itself (jobscript.sh); one that is gone and left none was killed: out of time, out of memory, cancelled.
found=$(qstat -f "$1" 2>&1)
case $?,$found in
    0,*"job_state = "[CF]*) ;;         # complete (Torque), finished (PBS Professional)
    153,* | 35,*) ;;                   # unknown, finished
    *) echo running; exit ;;           # also where the scheduler cannot be asked
esac
left=10
while [ ! -e ".snakemake/cluster/$1" ] && [ $left -gt 0 ]; do  # other nodes' files may be seen late
    sleep 2
    left=$((left - 1))
done
case $(cat ".snakemake/cluster/$1" 2> /dev/null) in
    0) echo success ;;
    *) echo failed ;;
esac
