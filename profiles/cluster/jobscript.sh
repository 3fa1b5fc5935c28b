#!/bin/bash
# properties = {properties}
# Snakemake's own, that also leaves the job's exit status for status.sh: in the workflow's folder, where the command goes first.
job=${{PBS_JOBID:-${{JOB_ID:-$SLURM_JOB_ID}}}}
leave() {{
    status=$?
    mkdir -p .snakemake/cluster && echo $status > ".snakemake/cluster/.$job" && mv ".snakemake/cluster/.$job" ".snakemake/cluster/$job"
}}
trap leave EXIT
trap "exit 143" HUP INT TERM XCPU USR1 USR2  # as schedulers end a job: without these its status were that of the command before
{exec_job}
