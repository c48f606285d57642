#!/bin/bash
# One sweep shared by a few jobs of Slurm, each with several runs at a time: 1,000 short runs are 8 entries of the queue.
#
#     sbatch --partition=gpu --gpus-per-node=1 docs/slurm.sh optimizer=adam,sgd,lion seed=range(1,101)
#
# Every job starts the very same sweep; the runs' locks share them out, and a job that finds no run left waits for the
# others' and goes on with what they leave. Options of sbatch's stand before the file's name and win over those here.
#SBATCH --job-name=sweeper
#SBATCH --array=1-8
#SBATCH --time=1:00:00
#SBATCH --cpus-per-task=2
#SBATCH --requeue
#SBATCH --signal=USR1@120
#SBATCH --open-mode=append
#SBATCH --output=slurm-%A_%a.log

srun "${PYTHON:-python}" -m sweeper.train -m hydra/launcher=packed "$@"
code=$?

# Warned before the time limit (SIGUSR1, 138) or a preemption (SIGTERM, 143): back into the queue, to go on from the
# checkpoints. A job that was cancelled gets a SIGTERM too, but is no longer marked as running.
if [ "$code" = 138 ] || [ "$code" = 143 ]; then
    if [ "$(squeue --noheader --format=%T --jobs="$SLURM_JOB_ID")" = RUNNING ]; then
        scontrol requeue "$SLURM_JOB_ID"
    fi
fi
exit "$code"
