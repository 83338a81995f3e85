"""From the workspace to windows and baselines: what `luban monitor` and the loop look at."""
