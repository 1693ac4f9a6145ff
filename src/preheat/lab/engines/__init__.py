"""Where runs are carried out: in processes of this machine, on any executor, on Ray, on Slurm."""
